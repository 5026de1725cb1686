//! A worker: fetches the parameters, computes a least-squares gradient on its own shard, pushes it. It has no `async`.

use std::error::Error;

use example::learning::server;
use lp_guest::program::{replica_count, replica_index};

lp_guest::node!({ world: "worker-node", path: "../../wit", node: Worker });

/// What the data was made with, and what the workers therefore find.
const TRUTH: [f32; 4] = [1.0, -2.0, 3.0, 0.5];
const SHARD_LEN: u32 = 64;
const LOSS_BOUND: f32 = 1e-6;
const STEPS_MAX: u32 = 10_000;

struct Worker;

impl Guest for Worker {
    fn run() -> Result<(), ()> {
        lp_guest::report(learn())
    }
}

fn learn() -> Result<(), Box<dyn Error>> {
    let shard = shard();
    for _ in 0..STEPS_MAX {
        let parameters = server::fetch()?;
        let (loss, gradient) = loss_and_gradient(&parameters, &shard);
        if loss < LOSS_BOUND {
            if replica_index() == 0 {
                println!("the loss fell below {LOSS_BOUND} at {parameters:.1?}");
            }
            return Ok(());
        }
        server::push(&gradient)?;
    }
    Err(format!("the loss is still over {LOSS_BOUND} after {STEPS_MAX} steps").into())
}

/// This replica's part of the inputs: the examples are dealt out in turn.
fn shard() -> Vec<[f32; 4]> {
    let examples = (0..SHARD_LEN).map(|n| n * replica_count() + replica_index());
    examples.map(|n| [1.1, 2.3, 3.7, 5.3].map(|rate: f32| (rate * n as f32).sin())).collect()
}

fn loss_and_gradient(parameters: &[f32], shard: &[[f32; 4]]) -> (f32, [f32; 4]) {
    let mut loss = 0.0;
    let mut gradient = [0.0; 4];
    for inputs in shard {
        let error = dot(parameters, inputs) - dot(&TRUTH, inputs);
        loss += error * error / shard.len() as f32;
        for (slope, input) in gradient.iter_mut().zip(inputs) {
            *slope += 2.0 * error * input / shard.len() as f32;
        }
    }
    (loss, gradient)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
