//! Gives files second names in every way that there is, and says what came of each.

use hostile::files::{PathFlags, dir};

fn main() {
    let (data, more, read_only) = (dir("/data"), dir("/more"), dir("/read-only"));
    let links = [
        ("beside", &data, "file.txt", &data, "beside"),
        ("below", &data, "file.txt", &data, "below/file"),
        ("above", &data, "below/deep.txt", &data, "above"),
        ("elsewhere", &data, "file.txt", &more, "elsewhere"),
        ("of a read-only file", &read_only, "file.txt", &data, "taken"),
        ("into a read-only directory", &data, "file.txt", &read_only, "given"),
        ("of a link", &data, "link", &data, "second-link"),
        ("of a pipe", &data, "pipe", &data, "second-pipe"),
        ("of a pipe below", &data, "pipe", &data, "below/second-pipe"),
        ("of a directory", &data, "below", &data, "second-below"),
        ("of a granted directory", &data, ".", &data, "second-below"),
        ("of nothing", &data, "nothing", &data, "second-nothing"),
        ("over a file", &data, "file.txt", &data, "below/deep.txt"),
    ];
    for (what, from, name, to, second) in links {
        match from.link_at(PathFlags::empty(), name, to, second) {
            Ok(()) => println!("{what}: linked"),
            Err(error) => println!("{what}: {}", error.name()),
        }
    }
}
