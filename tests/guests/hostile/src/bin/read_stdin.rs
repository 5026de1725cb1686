//! Reads the stdin of the host.

fn main() {
    let mut text = String::new();
    let read = std::io::stdin().read_line(&mut text);
    assert!(matches!(read, Err(_) | Ok(0)), "loot: {text}");
    panic!("no loot: nothing to read");
}
