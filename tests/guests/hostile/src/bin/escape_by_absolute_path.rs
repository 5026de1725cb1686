//! Reads a file of the machine by its absolute path.

fn main() {
    hostile::end(hostile::files::read(&hostile::files::dir("/data"), "/etc/passwd"));
}
