//! Never comes back from its `run`.

fn main() {
    loop {
        std::hint::spin_loop();
    }
}
