//! Moves a file from a directory for reading to one for writing, and one of outside too.

use hostile::files::dir;

fn main() {
    let (data, read_only) = (dir("/data"), dir("/read-only"));
    assert!(data.rename_at("../secret.txt", &data, "mine").is_err(), "loot: a file of outside");
    assert!(data.rename_at("file.txt", &data, "../left").is_err(), "loot: a file left outside");
    hostile::end(read_only.rename_at("file.txt", &data, "mine"));
}
