//! Traps in its `run`.

fn main() {
    panic!("on purpose");
}
