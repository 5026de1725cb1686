//! No attack: calls the hostile node without `async` that it has a handle of, and says what came of it.

lp_guest::node!({ world: "plain-caller", handles: "sync" });

fn main() {
    let victim = test::hostile::plain_victim_handles::get("victim").expect("it has such a handle");
    println!("the attack gave {:?}", victim.attack(&[7; 100]).map(|data| data.len()));
}
