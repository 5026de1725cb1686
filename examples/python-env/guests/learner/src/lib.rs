//! The learner: looks for a policy by the cross-entropy method (Szita and Lőrincz 2006, doi 10.1162/neco.2006.18.12.2936).

mod policy;

use std::error::Error;

use example::learning::environment_handles::{self, Environment};
use fastrand::Rng;
use lp_guest::{CallError, config, join_all};
use policy::{Policies, Policy};

lp_guest::node!({ world: "learner-node", path: "../../wit", node: Learner });

const POPULATION: usize = 24;
const ELITE: usize = 6;
const SOLVED_AT: f64 = 195.0;
const GENERATIONS_MAX: u32 = 50;

struct Learner;

impl Guest for Learner {
    async fn run() -> Result<(), ()> {
        lp_guest::report(learn().await)
    }
}

async fn learn() -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::with_seed(config::parse("seed")?.unwrap_or(0));
    let environments = environment_handles::all("environments");
    let mut policies = Policies::default();
    for generation in 1..=GENERATIONS_MAX {
        let sampled: Vec<Policy> = (0..POPULATION).map(|_| policies.sample(&mut rng)).collect();
        let mut played = Vec::new();
        for policies in sampled.chunks(environments.len()) {
            let returns = play(&environments, policies).await?;
            played.extend(returns.into_iter().zip(policies.iter().copied()));
        }
        let mean = played.iter().map(|(value, _)| value).sum::<f64>() / POPULATION as f64;
        println!("generation {generation}: mean return {mean:.1}");
        if mean >= SOLVED_AT {
            println!("solved");
            return Ok(());
        }
        played.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let elite: Vec<Policy> = played.into_iter().map(|(_, policy)| policy).take(ELITE).collect();
        policies = Policies::of(&elite);
    }
    Err(format!("the mean return is still below {SOLVED_AT} after {GENERATIONS_MAX} generations").into())
}

/// Plays an episode with each policy, in an environment of its own, and returns the sums of their rewards. All episodes
/// that are not done take their next step at once.
async fn play(environments: &[Environment], policies: &[Policy]) -> Result<Vec<f64>, CallError> {
    let mut returns = vec![0.0; policies.len()];
    let mut playing: Vec<usize> = (0..policies.len()).collect();
    let resets = join_all(playing.iter().map(|&i| environments[i].reset())).await;
    let mut observations = resets.into_iter().collect::<Result<Vec<_>, _>>()?;
    while !playing.is_empty() {
        let steps = playing.iter().map(|&i| environments[i].step(policies[i].action(&observations[i])));
        let mut going_on = Vec::new();
        for (&i, transition) in playing.iter().zip(join_all(steps).await) {
            let transition = transition?;
            returns[i] += transition.reward;
            observations[i] = transition.observation;
            if !transition.done {
                going_on.push(i);
            }
        }
        playing = going_on;
    }
    Ok(returns)
}
