//! Asks how large a file outside is, and when it was changed.

use hostile::files::{PathFlags, dir};

fn main() {
    let data = dir("/data");
    assert!(data.metadata_hash_at(PathFlags::SYMLINK_FOLLOW, "../secret.txt").is_err(), "loot: a hash");
    hostile::end(data.stat_at(PathFlags::SYMLINK_FOLLOW, "../secret.txt"));
}
