//! Writes to files of the user's, which are there before and after, whole.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Replaces the text of the file at `path`, or where a link there leads, so that nobody ever sees a half of it.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let mode = fs::metadata(&path)?.permissions().mode();
    let mut name = path.clone().into_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(name);
    // A file that has this name already is somebody else's, and stays.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.set_permissions(fs::Permissions::from_mode(mode & 0o777)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, &path));
    written.inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}
