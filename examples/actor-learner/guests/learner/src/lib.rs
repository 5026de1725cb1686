//! The learner: moves the weights of a policy towards those actions that turned out well, and stops the program when it is
//! good.

use std::sync::{Mutex, PoisonError};

use lp_guest::replay::{Batch, Sampler};
use lp_guest::{CallError, config, program};

lp_guest::node!({ world: "learner-node", path: "../../wit", node: Learner });

/// The steps that it learns from at once.
const BATCH: u32 = 1024;
/// How far the weights move with each batch.
const RATE: f32 = 0.2;
/// The episodes whose mean counts.
const EPISODES: usize = 30;
/// An episode is 200 steps long if the pole never falls. A policy of chance keeps it up for about 20.
const BOUND: f32 = 150.0;

static WEIGHTS: Mutex<[f32; 4]> = Mutex::new([0.0; 4]);

struct Learner;

impl PolicyGuest for Learner {
    async fn weights() -> Result<Vec<f32>, CallError> {
        Ok(WEIGHTS.lock().unwrap_or_else(PoisonError::into_inner).to_vec())
    }
}

impl RunGuest for Learner {
    async fn run() -> Result<(), ()> {
        lp_guest::report(learn().await)
    }
}

async fn learn() -> Result<(), Box<dyn std::error::Error>> {
    let bound = config::parse("bound")?.unwrap_or(BOUND);
    let replay = Sampler::new("replay");
    let (mut momenta, mut returns) = ([0.0; 4], Vec::new());
    loop {
        let batch = replay.sample("experience", BATCH).await?;
        improve(&batch, &mut momenta);
        returns.extend(batch.columns[3].to_i32().into_iter().filter(|length| *length > 0).map(|length| length as f32));
        returns.drain(..returns.len().saturating_sub(EPISODES));
        let mean = returns.iter().sum::<f32>() / EPISODES as f32;
        if mean > bound {
            println!("the mean return of {EPISODES} episodes is above {bound}");
            program::stop();
            return Ok(());
        }
    }
}

/// Makes actions more probable that were worth more than others, and those less that were worth less (REINFORCE).
fn improve(batch: &Batch, momenta: &mut [f32; 4]) {
    let [observations, worth] = [0, 2].map(|column| batch.columns[column].to_f32());
    let (observations, _) = observations.as_chunks::<4>();
    let actions = batch.columns[1].to_u8();
    let count = worth.len() as f32;
    let mean = worth.iter().sum::<f32>() / count;
    let deviation = (worth.iter().map(|worth| (worth - mean).powi(2)).sum::<f32>() / count).sqrt().max(1e-3);
    let mut weights = WEIGHTS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut slopes = [0.0; 4];
    for ((observation, action), worth) in observations.iter().zip(actions).zip(&worth) {
        let sum: f32 = weights.iter().zip(observation).map(|(weight, seen)| weight * seen).sum();
        let surprise = f32::from(action) - 1.0 / (1.0 + (-sum).exp());
        for (slope, seen) in slopes.iter_mut().zip(observation) {
            *slope += (worth - mean) / deviation * surprise * seen / count;
        }
    }
    let length = slopes.iter().map(|slope| slope * slope).sum::<f32>().sqrt().max(1e-9);
    for ((weight, momentum), slope) in weights.iter_mut().zip(momenta).zip(slopes) {
        *momentum = 0.8 * *momentum + RATE * slope / length;
        *weight += *momentum;
    }
}
