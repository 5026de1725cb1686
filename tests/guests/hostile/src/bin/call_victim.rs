//! No attack: calls the hostile node that it has a handle of, and says what came of it.

lp_guest::node!({ world: "caller", handles: "sync" });

fn main() {
    let victim = test::hostile::victim_handles::get("victim").expect("it has such a handle");
    println!("the attack gave {:?}", victim.attack(&[7; 100]).map(|data| data.len()));
}
