//! Calls a node with arguments around a limit of 1 MiB, which become results of the same size.

lp_guest::node!({ world: "caller", handles: "sync" });

fn main() {
    let victim = test::hostile::victim_handles::get("victim").expect("it has such a handle");
    // A tag and a length of three bytes stand before the data.
    let limit = (1 << 20) - 4;
    for bytes in [limit - 1, limit, limit + 1, limit] {
        println!("{bytes} gave {:?}", victim.attack(&vec![7; bytes]).map(|data| data.len()));
    }
    panic!("no loot: each is answered");
}
