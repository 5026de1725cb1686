//! Writes one line without end.

use std::io::Write;

fn main() {
    let mut stderr = std::io::stderr();
    loop {
        stderr.write_all(&[b'x'; 4096]).expect("stderr can be written");
    }
}
