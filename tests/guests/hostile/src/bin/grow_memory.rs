//! Takes memory until there is none left.

fn main() {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        taken.push(vec![1; 1024 * 1024]);
    }
}
