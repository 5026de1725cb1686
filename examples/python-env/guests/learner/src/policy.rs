//! Linear policies, and the normal distribution that they are drawn from.

use fastrand::Rng;

/// How many numbers an observation has.
const NUMBERS: usize = 4;

/// The least deviation, so that a distribution does not settle before it has found a good policy.
const DEVIATION_MIN: f64 = 0.05;

/// Pushes to the right where the weighted sum of the observation is positive.
#[derive(Clone, Copy)]
pub struct Policy([f64; NUMBERS]);

impl Policy {
    pub fn action(&self, observation: &[f64]) -> u32 {
        let sum: f64 = self.0.iter().zip(observation).map(|(weight, number)| weight * number).sum();
        u32::from(sum > 0.0)
    }
}

/// Each weight is drawn by itself.
pub struct Policies {
    mean: [f64; NUMBERS],
    deviation: [f64; NUMBERS],
}

impl Default for Policies {
    fn default() -> Self {
        Self { mean: [0.0; NUMBERS], deviation: [1.0; NUMBERS] }
    }
}

impl Policies {
    /// The distribution that the best policies look drawn from.
    pub fn of(elite: &[Policy]) -> Self {
        let mean_of = |number: &dyn Fn(&Policy) -> f64| elite.iter().map(number).sum::<f64>() / elite.len() as f64;
        let mean = std::array::from_fn(|i| mean_of(&|policy| policy.0[i]));
        let variance: [f64; NUMBERS] = std::array::from_fn(|i| mean_of(&|policy| (policy.0[i] - mean[i]).powi(2)));
        Self { mean, deviation: variance.map(|variance| variance.sqrt().max(DEVIATION_MIN)) }
    }

    pub fn sample(&self, rng: &mut Rng) -> Policy {
        Policy(std::array::from_fn(|i| self.mean[i] + self.deviation[i] * normal(rng)))
    }
}

/// A sample of the standard normal distribution, by the method of Box and Muller.
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}
