//! Writes lines without end.

use std::io::Write;

fn main() {
    let lines = "a line of a flood\n".repeat(100);
    loop {
        std::io::stdout().write_all(lines.as_bytes()).expect("stdout can be written");
    }
}
