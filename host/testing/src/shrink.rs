//! Finds less that makes a test fail: fewer faults, fewer delays, fewer changes of order.

use lp_program::program::Test;

use crate::interfering::Strike;
use crate::run::{Error, Options};
use crate::trial::{Happenings, Trial, Tried};

/// The most runs that shrinking takes.
const RUNS_MAX: usize = 1_000;

/// A smaller run that fails in the same way.
#[derive(Debug)]
pub struct Shrunk {
    /// What it follows from.
    pub trial: Trial,
    /// What came of it.
    pub tried: Tried,
    /// How many runs it took to find it.
    pub runs: usize,
}

/// One thing that happened by chance.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Strike(Strike),
    Pick(u64, usize),
}

/// Leaves out of a failed run what it fails without, by delta debugging (Zeller, 2002), as far as 1,000 runs go. What
/// is left fails with the same first problem, but for numbers.
///
/// # Errors
/// If the test can't be run.
pub fn shrink(test: &Test, options: &Options, failed: &Trial, tried: Tried) -> Result<Shrunk, Error> {
    let problem = problem(&tried);
    let trial = Trial { happenings: Some(tried.happenings.clone()), ..failed.clone() };
    let mut shrinking = Shrinking { test, options, problem, best: Shrunk { trial, tried, runs: 0 } };
    let all = Happenings::list(&shrinking.best.tried.happenings);
    // Many bugs need faults alone, or an order alone.
    let (strikes, picks): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| matches!(one, Happening::Strike(_)));
    if !shrinking.fails(&strikes)? {
        shrinking.fails(&picks)?;
    }
    shrinking.minimise()?;
    Ok(shrinking.best)
}

impl Happening {
    /// The same so many steps later.
    fn shifted(self, steps: u64) -> Self {
        match self {
            Self::Pick(step, place) => Self::Pick(step + steps, place),
            Self::Strike(_) => self,
        }
    }
}

struct Shrinking<'a> {
    test: &'a Test,
    options: &'a Options,
    problem: String,
    best: Shrunk,
}

impl Shrinking<'_> {
    /// Tries what is left of a run with these happenings, and keeps it if it fails as the first one did.
    fn fails(&mut self, left: &[Happening]) -> Result<bool, Error> {
        self.best.runs += 1;
        let trial = Trial { happenings: Some(Happenings::of(left)), ..self.best.trial.clone() };
        let tried = trial.run(self.test, self.options)?;
        let fails = !tried.report.passed() && problem(&tried) == self.problem;
        // What no longer comes to pass is left out along with the rest.
        if fails && tried.happenings.count() < self.best.tried.happenings.count() {
            self.best.trial.happenings = Some(tried.happenings.clone());
            self.best.tried = tried;
            return Ok(true);
        }
        Ok(false)
    }

    /// Leaves out one part of the happenings after the other, of half of them at first, in the end of one each.
    fn minimise(&mut self) -> Result<(), Error> {
        let mut size = self.best.tried.happenings.count().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            let mut shrank = false;
            loop {
                let all = Happenings::list(&self.best.tried.happenings);
                if start >= all.len() {
                    break;
                }
                if self.best.runs >= RUNS_MAX {
                    return Ok(());
                }
                let end = (start + size).min(all.len());
                let (later, earlier) = (&all[..start], &all[end..]);
                // What is not done out of turn is done in its turn, so that later steps may come later by as much.
                let left_out = all[start..end].iter().filter(|one| matches!(one, Happening::Pick(..))).count() as u64;
                let shifted: Vec<_> = later.iter().map(|one| one.shifted(left_out)).collect();
                let fails = self.fails(&[later, earlier].concat())?
                    || (left_out > 0 && self.fails(&[&shifted, earlier].concat())?);
                match fails {
                    true => shrank = true,
                    false => start = end,
                }
            }
            size = match (size, shrank) {
                (1, true) => 1,
                (1, false) => 0,
                (size, _) => size.div_ceil(2),
            };
        }
        Ok(())
    }
}

/// What a run fails with, without its numbers.
fn problem(tried: &Tried) -> String {
    let problem = tried.report.problems.first().map(String::as_str).unwrap_or_default();
    problem.chars().filter(|c| !c.is_ascii_digit()).collect()
}

impl Happenings {
    /// The happenings, the last ones first: what comes after the failure is left out soonest.
    fn list(&self) -> Vec<Happening> {
        let strikes = self.strikes.iter().rev().map(|&strike| Happening::Strike(strike));
        let picks = self.picks.iter().rev().map(|(&step, &place)| Happening::Pick(step, place));
        strikes.chain(picks).collect()
    }

    fn of(list: &[Happening]) -> Self {
        let mut happenings = Self::default();
        for happening in list {
            match *happening {
                Happening::Strike(strike) => drop(happenings.strikes.insert(strike)),
                Happening::Pick(step, place) => drop(happenings.picks.insert(step, place)),
            }
        }
        happenings
    }
}
