//! No attack: calls a node that it has a handle of, says what came of it, and ends the program by its own failure.

lp_guest::node!({ world: "caller", handles: "sync" });

fn main() {
    let victim = test::hostile::victim_handles::get("victim").expect("it has such a handle");
    println!("the attack gave {:?}", victim.attack(&[7; 100]).map(|data| data.len()));
    panic!("no loot: it was held off");
}
