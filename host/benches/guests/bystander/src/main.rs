//! Sleeps again and again, and prints how late it woke, in microseconds: the median, the 99th percentile, the most.

use std::time::{Duration, Instant};

const SLEEP: Duration = Duration::from_millis(10);
/// How long it goes on: sleeps that are late are fewer.
const MEASURED: Duration = Duration::from_secs(4);

fn main() {
    let begun = Instant::now();
    let mut late = Vec::new();
    while begun.elapsed() < MEASURED {
        let start = Instant::now();
        std::thread::sleep(SLEEP);
        late.push(start.elapsed().saturating_sub(SLEEP).as_micros());
    }
    late.sort();
    println!("late {} {} {}", late[late.len() / 2], late[late.len() * 99 / 100], late[late.len() - 1]);
    // Whoever measures ends the program.
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}
