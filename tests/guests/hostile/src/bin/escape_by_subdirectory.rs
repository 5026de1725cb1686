//! Opens a directory further down, and goes up from there by more than it went down.

use hostile::files::{DescriptorFlags, OpenFlags, PathFlags, dir, read};

fn main() {
    let flags = (OpenFlags::DIRECTORY, DescriptorFlags::READ);
    let sub = dir("/data").open_at(PathFlags::empty(), "sub", flags.0, flags.1).expect("it is there");
    hostile::end(read(&sub, "../file.txt").or_else(|_| read(&sub, "../../secret.txt")));
}
