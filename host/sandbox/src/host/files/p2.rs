//! The paths of `wasi:filesystem` 0.2.

use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::filesystem::{Descriptor, File, WasiFilesystemView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorType, ErrorCode, HostDescriptor, NewTimestamp, OpenFlags, PathFlags,
};

use super::{Fd, State, Wanted, are_too_long};

fn add_open(types: &mut LinkerInstance<'_, State>) -> Result<()> {
    types.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store: StoreContextMut<'_, State>,
         (fd, path_flags, path, open_flags, flags): (Fd, PathFlags, String, OpenFlags, DescriptorFlags)| {
            Box::new(async move {
                if are_too_long([&path]) {
                    return Ok((Err(ErrorCode::NameTooLong),));
                }
                let state = store.data_mut();
                let result = match state.files.single_file(&state.table, &fd, &path) {
                    Some(file) => open_single(state, file, open_flags, flags),
                    None => state.filesystem().open_at(fd, path_flags, path.clone(), open_flags, flags).await,
                };
                Ok((told(state, "open-at", &path, result)?,))
            })
        },
    )
}

/// Functions on the metadata of a path, which are those on a descriptor where it leads to a single file.
macro_rules! metadata {
    ($types:ident, $name:literal, $at:ident, $of_file:ident($($argument:ident: $type:ty),*)) => {
        $types.func_wrap_async(
            concat!("[method]descriptor.", $name),
            |mut store: StoreContextMut<'_, State>,
             (fd, path_flags, path, $($argument),*): (Fd, PathFlags, String, $($type),*)| {
                Box::new(async move {
                    if are_too_long([&path]) {
                        return Ok((Err(ErrorCode::NameTooLong),));
                    }
                    let state = store.data_mut();
                    let result = match state.files.single_file(&state.table, &fd, &path) {
                        Some(file) => {
                            let fd = state.table.push(Descriptor::File(file))?;
                            let borrowed = Resource::new_borrow(fd.rep());
                            let result = state.filesystem().$of_file(borrowed, $($argument),*).await;
                            state.table.delete(fd)?;
                            result
                        }
                        None => state.filesystem().$at(fd, path_flags, path.clone(), $($argument),*).await,
                    };
                    Ok((told(state, $name, &path, result)?,))
                })
            },
        )?
    };
}

/// Functions on paths that are no single files: with one, they fail as the directory of single files is for reading.
macro_rules! other {
    ($types:ident, $name:literal, $method:ident($($argument:ident: $type:ty),+), $($path:ident),+) => {
        $types.func_wrap_async(
            concat!("[method]descriptor.", $name),
            |mut store: StoreContextMut<'_, State>, (fd, $($argument),+): (Fd, $($type),+)| {
                Box::new(async move {
                    if are_too_long([$(&$path),+]) {
                        return Ok((Err(ErrorCode::NameTooLong),));
                    }
                    let state = store.data_mut();
                    let paths = [$($path.clone()),+].join("` to `");
                    let result = state.filesystem().$method(fd, $($argument),+).await;
                    Ok((told(state, $name, &paths, result)?,))
                })
            },
        )?
    };
}

/// Second names of files. Those of directories fail in the same words under every launch type: the walls of a worker process
/// refuse some of them before the file system does, with another error.
fn add_link(types: &mut LinkerInstance<'_, State>) -> Result<()> {
    types.func_wrap_async(
        "[method]descriptor.link-at",
        |mut store: StoreContextMut<'_, State>,
         (fd, path_flags, path, new_fd, new): (Fd, PathFlags, String, Fd, String)| {
            Box::new(async move {
                let state = store.data_mut();
                let (borrowed, old) = (Resource::new_borrow(fd.rep()), path.clone());
                let paths = format!("{path}` to `{new}");
                let code = match state.filesystem().link_at(fd, path_flags, path, new_fd, new).await {
                    Ok(()) => return Ok((Ok(()),)),
                    Err(error) => error.downcast()?,
                };
                let refused = matches!(
                    code,
                    ErrorCode::NotPermitted | ErrorCode::Access | ErrorCode::CrossDevice | ErrorCode::Io
                );
                if refused && is_directory(state, borrowed, old).await {
                    crate::files::tell_link_of_directory(&state.denials, &paths);
                    return Ok((Err(ErrorCode::NotPermitted),));
                }
                Ok((told(state, "link-at", &paths, Err(code.into()))?,))
            })
        },
    )
}

async fn is_directory(state: &mut State, fd: Fd, path: String) -> bool {
    let stat = state.filesystem().stat_at(fd, PathFlags::empty(), path).await;
    stat.is_ok_and(|stat| matches!(stat.type_, DescriptorType::Directory))
}

/// What the guest is answered. Where it was denied, the user is told.
fn told<T>(state: &State, method: &str, path: &str, result: FsResult<T>) -> Result<Result<T, ErrorCode>> {
    let code = match result {
        Ok(value) => return Ok(Ok(value)),
        Err(error) => error.downcast()?,
    };
    if matches!(code, ErrorCode::NotPermitted) {
        crate::files::tell(&state.denials, method, path);
    }
    Ok(Err(code))
}

in_both!("0.2.12", FsResult);
