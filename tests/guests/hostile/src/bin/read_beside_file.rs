//! Reads what is beside the single file that it was given.

use hostile::files::{dir, list, read, write};

fn main() {
    let files = dir("/files");
    let tries = ["secret.txt", "../secret.txt", "granted.txt/../secret.txt", "granted.txt/", "/etc/passwd", ".", ""];
    for path in tries {
        assert!(read(&files, path).is_err(), "loot: {path}");
        assert!(list(&files, path).is_err(), "loot: {path}");
    }
    assert!(write(&files, "granted.txt").is_err() && write(&files, "new.txt").is_err(), "loot: written");
    assert!(files.symlink_at("secret.txt", "mine").is_err(), "loot: a link");
    hostile::end(files.unlink_file_at("granted.txt"));
}
