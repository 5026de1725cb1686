//! Reads a file beside the directory that it was given.

fn main() {
    hostile::end(hostile::files::read(&hostile::files::dir("/data"), "../secret.txt"));
}
