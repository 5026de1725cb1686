//! The coordinator: an evolution strategy with mirrored samples (Salimans et al. 2017, arXiv 1703.03864).

use std::error::Error;

use example::evolution::evaluator_handles::{self, Evaluator};
use fastrand::Rng;
use lp_guest::{CallError, config, join_all};

lp_guest::node!({ world: "coordinator-node", path: "../../wit", node: Coordinator });

const PAIRS: usize = 16;
const SPREAD: f64 = 0.1;
const LEARNING_RATE: f64 = 0.05;
const GENERATIONS_MAX: u32 = 1000;

struct Coordinator;

impl Guest for Coordinator {
    async fn run() -> Result<(), ()> {
        lp_guest::report(minimise().await)
    }
}

async fn minimise() -> Result<(), Box<dyn Error>> {
    let bound: f64 = config::parse("bound")?.unwrap_or(0.01);
    let mut rng = Rng::with_seed(config::parse("seed")?.unwrap_or(0));
    let evaluators = evaluator_handles::all("evaluators");
    let mut point = vec![0.0; 5];
    for _ in 0..GENERATIONS_MAX {
        let values = evaluate(&evaluators, std::slice::from_ref(&point)).await?;
        if values[0] < bound {
            println!("the value fell below {bound} at {point:.1?}");
            return Ok(());
        }
        step(&mut point, &evaluators, &mut rng).await?;
    }
    Err(format!("the value is still over {bound} after {GENERATIONS_MAX} generations").into())
}

/// Moves the point against the slope that pairs of samples, mirrored at the point, show.
async fn step(point: &mut [f64], evaluators: &[Evaluator], rng: &mut Rng) -> Result<(), CallError> {
    let directions: Vec<Vec<f64>> = (0..PAIRS).map(|_| point.iter().map(|_| normal(rng)).collect()).collect();
    let mirrored = directions.iter().flat_map(|direction| [(direction, SPREAD), (direction, -SPREAD)]);
    let samples: Vec<_> = mirrored.map(|(direction, length)| moved(point, direction, length)).collect();
    let values = evaluate(evaluators, &samples).await?;
    for (direction, pair) in directions.iter().zip(values.chunks_exact(2)) {
        let slope = (pair[0] - pair[1]) / (2.0 * SPREAD);
        let length = -LEARNING_RATE * slope / PAIRS as f64;
        point.copy_from_slice(&moved(point, direction, length));
    }
    Ok(())
}

/// Deals the points out to the evaluators, which work at the same time, and gathers the values in the points' order.
async fn evaluate(evaluators: &[Evaluator], points: &[Vec<f64>]) -> Result<Vec<f64>, CallError> {
    let calls =
        points.iter().zip(evaluators.iter().cycle()).map(|(point, evaluator)| evaluator.evaluate(point.clone()));
    join_all(calls).await.into_iter().collect()
}

fn moved(point: &[f64], direction: &[f64], length: f64) -> Vec<f64> {
    point.iter().zip(direction).map(|(x, d)| x + length * d).collect()
}

/// A sample of the normal distribution, by the method of Box and Muller.
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}
