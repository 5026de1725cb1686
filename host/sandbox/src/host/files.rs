//! The functions of `wasi:filesystem` that take a path, in place of wasmtime-wasi's.

use crate::files::{Fd, Wanted};
use crate::state::State;

/// The longest path that is looked at. Linux takes 4 KiB of one at once, and a path may be taken apart into a directory and a
/// name.
const PATH_BYTES_MAX: usize = 8 << 10;

/// Whether one of `paths` is longer than any that leads anywhere: to copy and to check millions of bytes takes long.
fn are_too_long<const N: usize>(paths: [&str; N]) -> bool {
    paths.iter().any(|path| path.len() > PATH_BYTES_MAX)
}

/// What both versions of `wasi:filesystem` have in common but for the types, which each has in scope: the functions, which it
/// links by its own `metadata!`, `other!`, `add_open` and `add_link`, and how a single file is opened. The result is the version's.
macro_rules! in_both {
    ($version:literal, $result:ident) => {
        /// Has the functions that take a path tell of denials and find single files. The other functions are as
        /// wasmtime-wasi has them: what they are called on was opened by these.
        pub fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
            let mut preopens = linker.instance(concat!("wasi:filesystem/preopens@", $version))?;
            preopens.func_wrap("get-directories", |mut store: StoreContextMut<'_, State>, ()| {
                let State { files, table, .. } = store.data_mut();
                Ok((files.preopens(table)?,))
            })?;
            let mut types = linker.instance(concat!("wasi:filesystem/types@", $version))?;
            add_open(&mut types)?;
            add_metadata(&mut types)?;
            add_others(&mut types)
        }

        fn open_single(state: &mut State, file: File, open_flags: OpenFlags, flags: DescriptorFlags) -> $result<Fd> {
            let wanted = Wanted {
                directory: open_flags.contains(OpenFlags::DIRECTORY),
                exclusive: open_flags.contains(OpenFlags::EXCLUSIVE),
                truncate: open_flags.contains(OpenFlags::TRUNCATE),
                write: open_flags.contains(OpenFlags::CREATE) || flags.contains(DescriptorFlags::WRITE),
            };
            let file = crate::files::open_single(file, wanted).map_err(ErrorCode::from)?;
            Ok(state.table.push(Descriptor::File(file))?)
        }

        fn add_metadata(types: &mut LinkerInstance<'_, State>) -> Result<()> {
            metadata!(types, "stat-at", stat_at, stat());
            metadata!(types, "metadata-hash-at", metadata_hash_at, metadata_hash());
            metadata!(types, "set-times-at", set_times_at, set_times(accessed: NewTimestamp, modified: NewTimestamp));
            Ok(())
        }

        fn add_others(types: &mut LinkerInstance<'_, State>) -> Result<()> {
            other!(types, "create-directory-at", create_directory_at(path: String), path);
            other!(types, "readlink-at", readlink_at(path: String), path);
            other!(types, "remove-directory-at", remove_directory_at(path: String), path);
            other!(types, "unlink-file-at", unlink_file_at(path: String), path);
            other!(types, "symlink-at", symlink_at(target: String, path: String), target, path);
            other!(types, "rename-at", rename_at(path: String, new_fd: Fd, new: String), path, new);
            add_link(types)
        }
    };
}

pub mod p2;
pub mod p3;

#[cfg(test)]
mod tests {
    use super::{PATH_BYTES_MAX, are_too_long};

    #[test]
    fn a_path_may_have_so_many_bytes_and_no_more() {
        let longest = "x".repeat(PATH_BYTES_MAX);
        assert!(!are_too_long(["", &longest]));
        assert!(are_too_long(["", &(longest + "x")]));
    }
}
