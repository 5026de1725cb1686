//! An ordinary command: it runs in any WASI runtime, and is a node as it is.

fn main() {
    println!("hello from a sandbox");
    for argument in std::env::args().skip(1) {
        println!("argument: {argument}");
    }
}
