//! Samples without replacement: no item twice in one request.

use super::{Removed, Sample, Table};

impl Table {
    /// Up to `count` samples of as many items. For samplers by chance: one that is deterministic gives the same item again
    /// until that is removed, and so gives one here.
    ///
    /// Whether there may be a further one is asked of the limiter each time.
    pub fn sample_distinct(&mut self, count: usize, random: &mut fastrand::Rng, removed: &mut Removed) -> Vec<Sample> {
        let mut samples = Vec::new();
        // Items that were sampled are out of the sampler until all are.
        let mut apart = Vec::new();
        while samples.len() < count && self.limiter.can_sample() {
            let Some((slot, probability)) = self.items.sampler.pick(random) else { break };
            let gone = removed.items.len();
            let sample = self.take(slot, probability, removed);
            if removed.items.len() == gone {
                self.items.sampler.remove(slot);
                apart.push((slot, sample.priority));
            }
            samples.push(sample);
            if self.spec.sampler.is_deterministic() && removed.items.len() == gone {
                break;
            }
        }
        for (slot, priority) in apart {
            self.items.sampler.insert(slot, priority);
        }
        samples
    }
}
