//! The listings of directories of `wasi:filesystem` 0.2, in place of wasmtime-wasi's: these don't tell how much they hold.

use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::filesystem::WasiFilesystemView;
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, HostDescriptor};
use wasmtime_wasi::p2::{FsError, FsResult};

use crate::files::{Fd, Listing};
use crate::state::State;

/// Has listings be counted.
pub fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    types.resource("directory-entry-stream", ResourceType::host::<Listing>(), |mut store, listing| {
        store.data_mut().table.delete(Resource::<Listing>::new_own(listing))?;
        Ok(())
    })?;
    types.func_wrap_async(
        "[method]descriptor.read-directory",
        |mut store: StoreContextMut<'_, State>, (directory,): (Fd,)| {
            Box::new(async move { Ok((told(list(store.data_mut(), directory).await)?,)) })
        },
    )?;
    types.func_wrap(
        "[method]directory-entry-stream.read-directory-entry",
        |mut store: StoreContextMut<'_, State>, (listing,): (Resource<Listing>,)| {
            Ok((store.data_mut().table.get_mut(&listing)?.next(),))
        },
    )
}

async fn list(state: &mut State, directory: Fd) -> FsResult<Resource<Listing>> {
    let entries = state.filesystem().read_directory(directory).await?;
    let entries = state.table.delete(entries)?.into_iter().map(|entry| entry.map_err(FsError::downcast));
    // What is no error of the file system fails the guest when it comes, as wasmtime has it: none is known.
    let entries = entries.map(|entry| entry.map_err(|error| error.unwrap_or(ErrorCode::Io)));
    state.holdings.note_large();
    Ok(state.table.push(Listing::new(entries.collect()))?)
}

fn told<T>(result: FsResult<T>) -> Result<Result<T, ErrorCode>> {
    Ok(match result {
        Ok(value) => Ok(value),
        Err(error) => Err(error.downcast()?),
    })
}
