//! Hands the host more than it may in one call.

lp_guest::node!({ world: "configured" });

fn main() {
    println!("{:?}", wasi::config::store::get(&"x".repeat(32 * 1024 * 1024)));
}
