//! Runs a test with seed after seed, on all cores, and shrinks the first run that fails.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lp_program::program::Test;
use lp_testing::{Error, Found, Happenings, Options, Order, Report, Trial, Tried, shrink};

use super::{Args, Chance};

/// How far a search goes.
pub(super) struct Search {
    seeds: Option<u64>,
    time: Option<Duration>,
    /// About how many steps a run has, if the user says so.
    steps: Option<u64>,
    jobs: usize,
    /// The words of a command that say how the program differs from its file.
    changes: Vec<String>,
}

/// The runs of a search that are done.
#[derive(Default)]
struct Progress {
    runs: u64,
    elapsed: Duration,
    /// The run of the lowest seed that failed, with its place among the seeds.
    failed: Option<(u64, Result<Tried, Error>)>,
}

impl Search {
    pub(super) fn new(args: &Args, jobs: usize) -> Self {
        let Chance { seeds, time, steps, .. } = args.chance;
        Self { seeds, time, steps, jobs, changes: changes(args) }
    }

    /// Runs a test of the file `suite` with the seeds from that of `first` on, and reports on the lowest one that fails, or on
    /// all of them.
    pub(super) fn run(&self, suite: &str, test: &Test, options: &Options, first: &Trial) -> Result<Report, Error> {
        let until = self.time.map(|time| Instant::now() + time);
        let tried = first.run(test, options)?;
        // How many steps there are is known now.
        let steps = self.steps.unwrap_or(tried.steps.max(1));
        let passed = tried.report.clone();
        let trial = |place: u64| match place {
            0 => first.clone(),
            place => Trial { seed: first.seed.wrapping_add(place), steps, ..first.clone() },
        };
        let progress = Mutex::new(Progress { runs: 1, elapsed: tried.report.elapsed, failed: None });
        if !tried.report.passed() {
            progress.lock().unwrap_or_else(PoisonError::into_inner).failed = Some((0, Ok(tried)));
        }
        let next = AtomicU64::new(1);
        std::thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| self.work(&next, &progress, until, |place| trial(place).run(test, options)));
            }
        });
        let Progress { runs, elapsed, failed } = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        match failed {
            None => Ok(Report { seeds: runs, elapsed, ..passed }),
            Some((place, tried)) => {
                let found = self.shrunk(suite, test, options, &trial(place), tried?)?;
                // How many more ran beside it is chance.
                Ok(Report { seeds: place + 1, ..found })
            }
        }
    }

    /// Runs one seed after the other, as long as none below has failed.
    fn work(
        &self,
        next: &AtomicU64,
        progress: &Mutex<Progress>,
        until: Option<Instant>,
        run: impl Fn(u64) -> Result<Tried, Error>,
    ) {
        let lock = || progress.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let is_last = self.seeds.is_some_and(|seeds| place >= seeds);
            let is_late = until.is_some_and(|until| Instant::now() >= until);
            let has_failed = lock().failed.as_ref().is_some_and(|(failed, _)| *failed < place);
            if is_last || is_late || has_failed {
                return;
            }
            let tried = run(place);
            let mut progress = lock();
            progress.runs += 1;
            progress.elapsed += tried.as_ref().map_or(Duration::ZERO, |tried| tried.report.elapsed);
            let passed = tried.as_ref().is_ok_and(|tried| tried.report.passed());
            if !passed && progress.failed.as_ref().is_none_or(|(failed, _)| place < *failed) {
                progress.failed = Some((place, tried));
            }
        }
    }

    /// The report of a smaller run that fails like `tried`.
    fn shrunk(
        &self,
        suite: &str,
        test: &Test,
        options: &Options,
        trial: &Trial,
        tried: Tried,
    ) -> Result<Report, Error> {
        let happenings = tried.happenings.count();
        let shrunk = shrink(test, options, trial, tried)?;
        let found = Found {
            seed: trial.seed,
            happenings,
            left: shrunk.tried.happenings.count(),
            command: self.command(suite, test, trial),
            shrunk_command: self.command(suite, test, &shrunk.trial),
        };
        Ok(Report { found: Some(found), ..shrunk.tried.into_report() })
    }

    /// The command that makes a run again.
    fn command(&self, suite: &str, test: &Test, trial: &Trial) -> String {
        let Trial { seed, order, steps, chaos, happenings } = trial;
        let mut words = vec!["lp-host test".to_owned(), word(suite)];
        words.extend_from_slice(&self.changes);
        words.push(format!("--name {} --seed {seed}", test.name));
        if *chaos {
            words.push("--chaos".to_owned());
        }
        match (happenings, order) {
            (Some(happenings), _) => words.push(replay(happenings)),
            (None, Order::Uniform) => words.push("--strategy uniform".to_owned()),
            (None, Order::Pct) => words.push(format!("--steps {steps}")),
        }
        words.join(" ")
    }
}

/// The words of the command line without which a command would run another program.
fn changes(args: &Args) -> Vec<String> {
    let overrides = args.overrides.iter().map(|change| format!("--set {}", word(&change.to_string())));
    let policy = args.policy.iter().map(|policy| format!("--policy {}", word(&policy.display().to_string())));
    overrides.chain(policy).collect()
}

fn replay(happenings: &Happenings) -> String {
    format!("--replay '{happenings}'")
}

/// A text as one word of a command line.
fn word(text: &str) -> String {
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-=".contains(c));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
