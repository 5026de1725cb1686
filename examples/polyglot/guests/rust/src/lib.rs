//! Greets in Rust.

lp_guest::node!({ world: "greeter-node", path: "../../wit", node: Greeter });

struct Greeter;

impl Guest for Greeter {
    async fn greet(name: String) -> String {
        format!("hello, {name}, from Rust")
    }
}
