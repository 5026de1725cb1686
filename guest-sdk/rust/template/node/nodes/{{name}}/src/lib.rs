//! The node `{{name}}`: greets who calls it.

lp_guest::node!({ world: "{{name}}-node", path: "../../wit", node: Node });

struct Node;

impl Guest for Node {
    async fn greet(name: String) -> String {
        format!("hello, {name}")
    }
}
