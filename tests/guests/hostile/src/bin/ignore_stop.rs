//! Has the program stop, and does not.

fn main() {
    lp_guest::program::stop();
    loop {
        std::hint::spin_loop();
    }
}
