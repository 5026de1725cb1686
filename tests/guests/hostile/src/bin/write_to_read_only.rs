//! Writes to, creates, truncates, removes and renames what it may only read.

use hostile::files::{DescriptorFlags, OpenFlags, PathFlags, dir, write};

fn main() {
    let read_only = dir("/read-only");
    let truncate = (OpenFlags::TRUNCATE, DescriptorFlags::WRITE);
    assert!(read_only.open_at(PathFlags::empty(), "file.txt", truncate.0, truncate.1).is_err(), "loot: truncated");
    assert!(read_only.unlink_file_at("file.txt").is_err(), "loot: removed");
    assert!(read_only.create_directory_at("new").is_err(), "loot: created");
    assert!(read_only.rename_at("file.txt", &read_only, "other.txt").is_err(), "loot: renamed");
    assert!(write(&read_only, "new.txt").is_err(), "loot: created");
    hostile::end(write(&read_only, "file.txt"));
}
