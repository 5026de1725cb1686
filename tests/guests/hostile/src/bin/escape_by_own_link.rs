//! Makes a symbolic link that leads out of the directory, and follows it.

fn main() {
    let data = hostile::files::dir("/data");
    data.symlink_at("../secret.txt", "mine").expect("a link may lead anywhere as long as it is not followed");
    hostile::end(hostile::files::read(&data, "mine"));
}
