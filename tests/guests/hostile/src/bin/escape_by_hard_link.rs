//! Gives a file of a directory for reading a second name in one for writing, and one of outside too.

use hostile::files::{PathFlags, dir, write};

fn main() {
    let (data, read_only) = (dir("/data"), dir("/read-only"));
    let outside = data.link_at(PathFlags::empty(), "../secret.txt", &data, "mine");
    assert!(outside.is_err(), "loot: a name for a file outside");
    let link = read_only.link_at(PathFlags::empty(), "file.txt", &data, "mine");
    hostile::end(link.and_then(|()| write(&data, "mine")));
}
