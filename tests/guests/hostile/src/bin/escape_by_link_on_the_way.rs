//! Goes through a symbolic link to the directory above.

fn main() {
    hostile::end(hostile::files::read(&hostile::files::dir("/data"), "to-parent/secret.txt"));
}
