//! Reads variables that it was not given.

fn main() {
    let names = ["HOME", "PATH", "USER", "OTHERS_TOKEN", "LISTEN_FDS"];
    let found: Vec<_> = std::env::vars().collect();
    assert!(found.is_empty(), "loot: {found:?}");
    let Some(loot) = names.iter().find_map(|name| std::env::var(name).ok()) else { panic!("no loot: no variable") };
    println!("loot: {loot}");
}
