//! One simulated run of a test among many that differ in what is left to chance.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use lp_base::scheduler::{Scheduler, SimulationOptions, Strategy, simulate_with};
use lp_program::program::Test;

use crate::interfering::{Interfering, Strike, chaos, shared};
use crate::report::Report;
use crate::run::{Error, Options, run_interfered};
use crate::timeline::Timeline;

/// How many steps a run is taken to have of which nothing else is known.
pub const STEPS: u64 = 256;

/// The most changes of priority in a run: bugs that need more orders than that to be just so are rare.
const CHANGES_MAX: u32 = 3;

/// How it is picked which task or message of a run goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Each with the same chance.
    Uniform,
    /// By priorities that change at a few steps.
    #[default]
    Pct,
}

/// What a run follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// What everything that is left to chance follows from.
    pub seed: u64,
    /// How it is picked who goes on.
    pub order: Order,
    /// About how many steps the run has, of which some change priorities.
    pub steps: u64,
    /// Whether a mix of faults is drawn from the seed, beside those of the test.
    pub chaos: bool,
    /// What happens otherwise than it would by itself, where that is known.
    pub happenings: Option<Happenings>,
}

/// What happened in a run by chance. Without any, whoever runs goes on until it has to wait, and no fault strikes.
///
/// As text, `f0:3,s12:1` says that the fault 0 struck at its occasion 3, and that step 12 was made by the one that came to wait
/// 1 place before the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Happenings {
    /// The faults that struck.
    pub(crate) strikes: BTreeSet<Strike>,
    /// The steps that were not made by who came last.
    pub(crate) picks: BTreeMap<u64, usize>,
}

impl Happenings {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.strikes.len() + self.picks.len()
    }
}

impl fmt::Display for Happenings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strikes = self.strikes.iter().map(|(fault, occasion)| format!("f{fault}:{occasion}"));
        let picks = self.picks.iter().map(|(step, place)| format!("s{step}:{place}"));
        f.write_str(&strikes.chain(picks).collect::<Vec<_>>().join(","))
    }
}

/// A text is none of [`Happenings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is expected to be like `f0:3,s12:1`, as the search prints it", "--replay")]
pub struct NoHappenings;

impl FromStr for Happenings {
    type Err = NoHappenings;

    fn from_str(text: &str) -> Result<Self, NoHappenings> {
        let mut happenings = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (first, second) = part.split_once(':').ok_or(NoHappenings)?;
            let second: u64 = second.parse().map_err(|_| NoHappenings)?;
            if let Some(fault) = first.strip_prefix('f') {
                happenings.strikes.insert((fault.parse().map_err(|_| NoHappenings)?, second));
            } else if let Some(step) = first.strip_prefix('s') {
                let place = usize::try_from(second).map_err(|_| NoHappenings)?;
                happenings.picks.insert(step.parse().map_err(|_| NoHappenings)?, place);
            } else {
                return Err(NoHappenings);
            }
        }
        Ok(happenings)
    }
}

impl Tried {
    /// The report with the timeline.
    pub fn into_report(self) -> Report {
        Report { timeline: Some(self.timeline), ..self.report }
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Tried {
    /// The report, without the timeline.
    pub report: Report,
    /// What happened by chance.
    pub happenings: Happenings,
    /// How many steps it had.
    pub steps: u64,
    /// All that happened.
    pub timeline: Timeline,
}

impl Trial {
    /// The run of a seed of which nothing else is known.
    pub fn of_seed(seed: u64) -> Self {
        Self { seed, order: Order::default(), steps: STEPS, chaos: false, happenings: None }
    }

    fn strategy(&self) -> Strategy {
        match (&self.happenings, self.order) {
            (Some(happenings), _) => Strategy::Replay(happenings.picks.clone()),
            (None, Order::Uniform) => Strategy::Uniform,
            (None, Order::Pct) => {
                let changes = fastrand::Rng::with_seed(self.seed ^ 0xD).u32(0..=CHANGES_MAX);
                Strategy::Pct { steps: self.steps, changes }
            }
        }
    }

    /// Runs a test of launch type `threads` as a function of this, in virtual time, on this thread alone.
    ///
    /// # Errors
    /// If the test can't be run. One that was run and failed is no error: its report says so.
    pub fn run(&self, test: &Test, options: &Options) -> Result<Tried, Error> {
        self.simulate(test, |scheduler, interfering| run_interfered(test, options, scheduler, Some(interfering)))
    }

    /// Simulates a run of a test.
    pub(crate) fn simulate<F: Future<Output = Result<Report, Error>>>(
        &self,
        test: &Test,
        run: impl FnOnce(Scheduler, Arc<Interfering>) -> F,
    ) -> Result<Tried, Error> {
        let mut faults = test.faults.clone();
        if self.chaos {
            faults.extend(chaos(&test.linked, self.seed));
        }
        let only = self.happenings.as_ref().map(|happenings| happenings.strikes.clone());
        let interfering = Arc::new(Interfering::new(&test.linked, faults, self.seed, only));
        let simulation =
            SimulationOptions { seed: self.seed, strategy: self.strategy(), interference: Some(shared(&interfering)) };
        let interfered = interfering.clone();
        let (report, picks) = simulate_with(simulation, |scheduler| run(scheduler, interfered));
        let (strikes, timeline) = interfering.finish();
        let happenings = Happenings { strikes, picks: picks.others };
        Ok(Tried { report: report??, happenings, steps: picks.steps, timeline })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn happenings_are_read_as_they_are_written() {
        let text = "f0:3,f2:0,s12:1,s100:2";
        assert_eq!(text.parse::<Happenings>().expect("it is one").to_string(), text);
        assert_eq!("".parse::<Happenings>().expect("nothing happened"), Happenings::default());
        for wrong in ["f0", "x1:2", "f0:x", "s:1", "1:2"] {
            assert!(wrong.parse::<Happenings>().is_err(), "{wrong}");
        }
    }
}
