//! Writes items of one step to a replay node and samples them, of several sizes and so many at once.

use std::time::{Duration, Instant};

use lp_guest::CallError;
use lp_guest::replay::{Column, Sampler, Tensor, Writers};

lp_guest::node!({ world: "bench-node", node: Bench });

struct Bench;

/// How long each figure is measured.
const TIME: Duration = Duration::from_secs(2);

impl Guest for Bench {
    async fn run() -> Result<(), ()> {
        lp_guest::report(measure().await)
    }
}

async fn measure() -> Result<(), CallError> {
    for bytes in [400, 4000, 40_000] {
        for at_once in [1, 16, 128] {
            let (inserts, samples) = (inserts(bytes, at_once).await?, samples(at_once).await?);
            println!("{bytes} B, {at_once} at once: {inserts:.0} inserts/s, {samples:.0} samples/s");
        }
    }
    Ok(())
}

async fn inserts(bytes: u32, at_once: u32) -> Result<f64, CallError> {
    let mut writer = Writers::new("replay").writer(0)?;
    // Numbers that can't be compressed, as those of a simulation can't.
    let mut number = 1_u32;
    let numbers: Vec<f32> = (0..bytes / 4)
        .map(|_| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            number as f32
        })
        .collect();
    let step = [Tensor::f32(&[bytes / 4], &numbers)];
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < TIME {
        for _ in 0..at_once {
            let number = writer.append(&step);
            writer.item("t", 1.0, vec![Column::step(0, number)]);
        }
        count += writer.flush().await?.len();
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

async fn samples(at_once: u32) -> Result<f64, CallError> {
    let sampler = Sampler::new("replay");
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < TIME {
        count += sampler.sample("t", at_once).await?.keys.len();
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}
