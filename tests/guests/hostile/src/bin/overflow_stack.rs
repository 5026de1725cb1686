//! Calls itself without end.
#![allow(unconditional_recursion, reason = "that is the attack")]

fn main() {
    println!("{}", descend(0));
}

fn descend(depth: u64) -> u64 {
    1 + descend(std::hint::black_box(depth) + 1)
}
