//! Goes down into the directory that it was given, and up by one more.

fn main() {
    hostile::end(hostile::files::read(&hostile::files::dir("/data"), "sub/./../sub//../../secret.txt"));
}
