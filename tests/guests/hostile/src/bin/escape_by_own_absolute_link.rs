//! Makes a symbolic link with an absolute path.

fn main() {
    let data = hostile::files::dir("/data");
    hostile::end(data.symlink_at("/etc/passwd", "mine").and_then(|()| hostile::files::read(&data, "mine")));
}
