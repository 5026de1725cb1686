//! Follows a symbolic link that somebody left in the directory, which has an absolute path.

fn main() {
    hostile::end(hostile::files::read(&hostile::files::dir("/data"), "to-passwd"));
}
