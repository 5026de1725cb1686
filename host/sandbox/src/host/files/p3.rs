//! The paths of `wasi:filesystem` 0.3.

use wasmtime::component::{Accessor, Linker, LinkerInstance, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::filesystem::{Descriptor, File, WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p3::bindings::filesystem::types::{
    DescriptorFlags, DescriptorType, ErrorCode, HostDescriptorWithStore, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p3::filesystem::FilesystemResult;

use super::{Fd, State, Wanted, are_too_long};

fn add_open(types: &mut LinkerInstance<'_, State>) -> Result<()> {
    types.func_wrap_concurrent(
        "[method]descriptor.open-at",
        |accessor, (fd, path_flags, path, open_flags, flags): (Fd, PathFlags, String, OpenFlags, DescriptorFlags)| {
            Box::pin(async move {
                if are_too_long([&path]) {
                    return Ok((Err(ErrorCode::NameTooLong),));
                }
                let result = match single_file(accessor, &fd, &path) {
                    Some(file) => accessor.with(|mut access| open_single(access.get(), file, open_flags, flags)),
                    None => {
                        let files = accessor.with_getter::<WasiFilesystem>(State::filesystem);
                        WasiFilesystem::open_at(&files, fd, path_flags, path.clone(), open_flags, flags).await
                    }
                };
                Ok((told(accessor, "open-at", &path, result)?,))
            })
        },
    )
}

/// Functions on the metadata of a path, which are those on a descriptor where it leads to a single file.
macro_rules! metadata {
    ($types:ident, $name:literal, $at:ident, $of_file:ident($($argument:ident: $type:ty),*)) => {
        $types.func_wrap_concurrent(
            concat!("[method]descriptor.", $name),
            |accessor, (fd, path_flags, path, $($argument),*): (Fd, PathFlags, String, $($type),*)| {
                Box::pin(async move {
                    if are_too_long([&path]) {
                        return Ok((Err(ErrorCode::NameTooLong),));
                    }
                    let files = accessor.with_getter::<WasiFilesystem>(State::filesystem);
                    let result = match single_file(accessor, &fd, &path) {
                        Some(file) => {
                            let fd = accessor.with(|mut access| access.get().table.push(Descriptor::File(file)))?;
                            let borrowed = Resource::new_borrow(fd.rep());
                            let result = WasiFilesystem::$of_file(&files, borrowed, $($argument),*).await;
                            accessor.with(|mut access| access.get().table.delete(fd))?;
                            result
                        }
                        None => WasiFilesystem::$at(&files, fd, path_flags, path.clone(), $($argument),*).await,
                    };
                    Ok((told(accessor, $name, &path, result)?,))
                })
            },
        )?
    };
}

/// Functions on paths that are no single files: with one, they fail as the directory of single files is for reading.
macro_rules! other {
    ($types:ident, $name:literal, $method:ident($($argument:ident: $type:ty),+), $($path:ident),+) => {
        $types.func_wrap_concurrent(
            concat!("[method]descriptor.", $name),
            |accessor, (fd, $($argument),+): (Fd, $($type),+)| {
                Box::pin(async move {
                    if are_too_long([$(&$path),+]) {
                        return Ok((Err(ErrorCode::NameTooLong),));
                    }
                    let paths = [$($path.clone()),+].join("` to `");
                    let files = accessor.with_getter::<WasiFilesystem>(State::filesystem);
                    let result = WasiFilesystem::$method(&files, fd, $($argument),+).await;
                    Ok((told(accessor, $name, &paths, result)?,))
                })
            },
        )?
    };
}

fn single_file(accessor: &Accessor<State>, fd: &Fd, path: &str) -> Option<File> {
    accessor.with(|mut access| {
        let state = access.get();
        state.files.single_file(&state.table, fd, path)
    })
}

/// Second names of files. Those of directories fail in the same words under every launch type: the walls of a worker process
/// refuse some of them before the file system does, with another error.
fn add_link(types: &mut LinkerInstance<'_, State>) -> Result<()> {
    types.func_wrap_concurrent(
        "[method]descriptor.link-at",
        |accessor, (fd, path_flags, path, new_fd, new): (Fd, PathFlags, String, Fd, String)| {
            Box::pin(async move {
                let files = accessor.with_getter::<WasiFilesystem>(State::filesystem);
                let (borrowed, old) = (Resource::new_borrow(fd.rep()), path.clone());
                let paths = format!("{path}` to `{new}");
                let code = match WasiFilesystem::link_at(&files, fd, path_flags, path, new_fd, new).await {
                    Ok(()) => return Ok((Ok(()),)),
                    Err(error) => error.downcast()?,
                };
                let refused = matches!(
                    code,
                    ErrorCode::NotPermitted | ErrorCode::Access | ErrorCode::CrossDevice | ErrorCode::Io
                );
                if refused && is_directory(&files, borrowed, old).await {
                    accessor.with(|mut access| crate::files::tell_link_of_directory(&access.get().denials, &paths));
                    return Ok((Err(ErrorCode::NotPermitted),));
                }
                Ok((told(accessor, "link-at", &paths, Err(code.into()))?,))
            })
        },
    )
}

async fn is_directory(files: &Accessor<State, WasiFilesystem>, fd: Fd, path: String) -> bool {
    let stat = WasiFilesystem::stat_at(files, fd, PathFlags::empty(), path).await;
    stat.is_ok_and(|stat| matches!(stat.type_, DescriptorType::Directory))
}

/// What the guest is answered. Where it was denied, the user is told.
fn told<T>(
    accessor: &Accessor<State>,
    method: &str,
    path: &str,
    result: FilesystemResult<T>,
) -> Result<Result<T, ErrorCode>> {
    let code = match result {
        Ok(value) => return Ok(Ok(value)),
        Err(error) => error.downcast()?,
    };
    if matches!(code, ErrorCode::NotPermitted) {
        accessor.with(|mut access| crate::files::tell(&access.get().denials, method, path));
    }
    Ok(Err(code))
}

in_both!("0.3.0", FilesystemResult);
