//! An actor: plays episodes with the learner's policy, and writes each to the replay node.

mod cart_pole;

use std::hash::{BuildHasher, RandomState};

use cart_pole::{CartPole, STEPS_MAX};
use example::control::policy;
use lp_guest::replay::{Column, Tensor, Writers};
use lp_guest::{CallError, program};

lp_guest::node!({ world: "actor-node", path: "../../wit", node: Actor });

/// How much less a reward is worth for each step that it is away.
const DISCOUNT: f32 = 0.99;

struct Actor;

impl Guest for Actor {
    async fn run() -> Result<(), ()> {
        match play().await {
            // The program stops, which the replay node may know earlier than this one.
            Err(CallError::Cancelled) => Ok(()),
            // The learner has ended.
            Err(CallError::Unavailable) if program::stop_requested() => Ok(()),
            played => lp_guest::report(played),
        }
    }
}

async fn play() -> Result<(), CallError> {
    let mut writer = Writers::new("replay").writer(0)?;
    let mut chance = Chance(RandomState::new().hash_one(0) | 1);
    while !program::stop_requested() {
        let weights = policy::weights().await?;
        let episode = episode(&weights, &mut chance);
        for (step, (observation, action)) in episode.iter().enumerate() {
            let left = episode.len() - step;
            let worth = (1.0 - DISCOUNT.powi(left as i32)) / (1.0 - DISCOUNT);
            // The length of the episode is told once.
            let length = if step == 0 { left as i32 } else { 0 };
            let number = writer.append(&[
                Tensor::f32(&[4], observation),
                Tensor::u8(&[], &[u8::from(*action)]),
                Tensor::f32(&[], &[worth]),
                Tensor::i32(&[], &[length]),
            ]);
            let columns = (0..4).map(|column| Column::step(column, number)).collect();
            writer.item("experience", 1.0, columns);
        }
        writer.end_episode().await?;
    }
    Ok(())
}

/// What was seen and done in each step of an episode.
fn episode(weights: &[f32], chance: &mut Chance) -> Vec<([f32; 4], bool)> {
    let mut cart_pole = CartPole([(); 4].map(|()| chance.next() * 0.1 - 0.05));
    let mut steps = Vec::with_capacity(STEPS_MAX);
    while steps.len() < STEPS_MAX {
        let observation = cart_pole.0;
        let sum: f32 = weights.iter().zip(observation).map(|(weight, seen)| weight * seen).sum();
        let action = chance.next() < 1.0 / (1.0 + (-sum).exp());
        steps.push((observation, action));
        if !cart_pole.push(action) {
            break;
        }
    }
    steps
}

/// Random numbers, by the xorshift of Marsaglia.
struct Chance(u64);

impl Chance {
    /// A number from 0 to 1.
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }
}
