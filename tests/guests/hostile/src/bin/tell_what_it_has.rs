//! No attack: tells what it was given, as its arguments ask: `time`, `chance`, `env:NAME`, `file:DIR:PATH`,
//! `write:DIR:PATH`, or `secret:KEY:VALUE`, whose value it compares and keeps to itself. `wait:DIR:PATH` waits for a file.

use std::time::{Duration, Instant, SystemTime};

use hostile::files::{dir, read, write};
use lp_guest::config;
use wasip2::random::{insecure, insecure_seed, random};

lp_guest::node!({ world: "configured" });

fn main() {
    for what in std::env::args().skip(1) {
        let words: Vec<_> = what.split(':').collect();
        match words[..] {
            ["time"] => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later");
                println!("{now:?} {}", Instant::now().elapsed() < Duration::from_millis(1));
            }
            ["chance"] => {
                let secure = random::get_random_bytes(4);
                println!("{secure:?} {} {:?}", insecure::get_insecure_random_u64(), insecure_seed::insecure_seed());
            }
            ["env", name] => println!("{:?}", std::env::var(name)),
            ["file", place, path] => println!("{:?}", read(&dir(place), path)),
            ["write", place, path] => println!("{:?}", write(&dir(place), path)),
            ["secret", key, value] => {
                println!("{}", config::get(key).expect("the host has it").as_deref() == Some(value));
            }
            ["wait", place, path] => {
                while read(&dir(place), path).is_err() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            _ => panic!("`{what}` is nothing to tell"),
        }
    }
}
