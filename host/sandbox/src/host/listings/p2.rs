//! The listings of `wasi:filesystem` 0.2.

use std::vec::IntoIter;

use rustix::fs::FileType;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorType, DirectoryEntry, ErrorCode};

use crate::files::{Entry, Fd, Listing};
use crate::state::State;

/// What a guest takes the entries of a directory from.
struct Entries {
    /// The part that the guest is taking.
    part: IntoIter<Entry>,
    /// Where the next part comes from; `None` while it is read, and after a failure of the host there.
    listing: Option<Listing>,
}

/// Has directories be read as the guest takes their entries.
pub fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    types.resource("directory-entry-stream", ResourceType::host::<Entries>(), |mut store, entries| {
        store.data_mut().table.delete(Resource::<Entries>::new_own(entries))?;
        Ok(())
    })?;
    types.func_wrap_async(
        "[method]descriptor.read-directory",
        |mut store: StoreContextMut<'_, State>, (directory,): (Fd,)| {
            Box::new(async move { Ok((begin(store.data_mut(), &directory).await?,)) })
        },
    )?;
    types.func_wrap_async(
        "[method]directory-entry-stream.read-directory-entry",
        |mut store: StoreContextMut<'_, State>, (entries,): (Resource<Entries>,)| {
            Box::new(async move { Ok((next(store.data_mut(), &entries).await?,)) })
        },
    )
}

/// Reads the first part, so that a directory that can't be read is told at once.
async fn begin(state: &mut State, directory: &Fd) -> Result<Result<Resource<Entries>, ErrorCode>> {
    let Some(listing) = state.list(directory)? else { return Ok(Err(ErrorCode::NotDirectory)) };
    let (listing, part) = super::read(state.spec.scheduler.clone(), listing).await;
    Ok(match part {
        Ok(part) => Ok(state.table.push(Entries { part: part.into_iter(), listing: Some(listing) })?),
        Err(failure) => Err(failure.into()),
    })
}

async fn next(state: &mut State, entries: &Resource<Entries>) -> Result<Result<Option<DirectoryEntry>, ErrorCode>> {
    let scheduler = state.spec.scheduler.clone();
    let entries = state.table.get_mut(entries)?;
    if entries.part.len() == 0 {
        let Some(listing) = entries.listing.take() else { return Ok(Ok(None)) };
        let (listing, part) = super::read(scheduler, listing).await;
        entries.listing = Some(listing);
        match part {
            Ok(part) => entries.part = part.into_iter(),
            Err(failure) => return Ok(Err(failure.into())),
        }
    }
    Ok(Ok(entries.part.next().map(|Entry { name, ty }| DirectoryEntry { type_: shown(ty), name })))
}

fn shown(ty: FileType) -> DescriptorType {
    match ty {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::Fifo => DescriptorType::Fifo,
        FileType::Socket => DescriptorType::Socket,
        FileType::Unknown => DescriptorType::Unknown,
    }
}
