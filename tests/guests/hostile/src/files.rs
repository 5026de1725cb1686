//! Files by the descriptors of `wasi:filesystem`, whose paths nobody looks at before the host does.

use wasip2::filesystem::preopens::get_directories;
pub use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

/// The directory that is granted as `name`.
pub fn dir(name: &str) -> Descriptor {
    let mut dirs = get_directories().into_iter();
    dirs.find(|(_, guest)| guest == name).expect("the test grants the directory").0
}

/// Opens `path` below `dir` and reads it.
pub fn read(dir: &Descriptor, path: &str) -> Result<String, ErrorCode> {
    let file = dir.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), DescriptorFlags::READ)?;
    let (bytes, _) = file.read(1 << 20, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Opens `path` below `dir` as a directory and lists it.
pub fn list(dir: &Descriptor, path: &str) -> Result<Vec<String>, ErrorCode> {
    let dir = dir.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::DIRECTORY, DescriptorFlags::READ)?;
    let entries = dir.read_directory()?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read_directory_entry()? {
        names.push(entry.name);
    }
    Ok(names)
}

/// Creates `path` below `dir`, or opens it, to write.
pub fn write(dir: &Descriptor, path: &str) -> Result<(), ErrorCode> {
    let file = dir.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::CREATE, DescriptorFlags::WRITE)?;
    file.write(b"was here", 0).map(drop)
}
