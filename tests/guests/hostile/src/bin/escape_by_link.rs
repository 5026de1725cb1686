//! Follows a symbolic link that somebody left in the directory, which leads out of it.

fn main() {
    hostile::end(hostile::files::read(&hostile::files::dir("/data"), "to-secret"));
}
