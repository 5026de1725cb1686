//! What a program under test does, as far as a test looks at it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lp_base::plan::ReplicaId;
use lp_base::replica::{CRASHED, LineSink, LineSource, Outputs};
use lp_base::scheduler::{Scheduler, Stopwatch};
use lp_program::program::Expectation;
use lp_run::node::Change;
use lp_run::supervise::{Note, Observer};
use lp_run::worker::Compiling;
use tokio::sync::watch;

use crate::interfering::Interfering;
use crate::report::ReplicaOutput;

/// The output of a program under test: the last lines of each replica, and which of the expected texts were in any.
#[derive(Clone)]
pub(crate) struct Output(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    replicas: BTreeMap<String, (VecDeque<String>, usize)>,
    /// Texts that have not been seen yet.
    missing: Vec<String>,
    forbidden: Vec<String>,
    /// Forbidden texts, each with the first line that had it.
    found: Vec<(String, String)>,
    /// What was said of failures.
    failures: Vec<String>,
    record: Option<Record>,
    lines_max: usize,
}

/// Where what happens to replicas is recorded, with the time.
pub(crate) struct Record {
    interfering: Arc<Interfering>,
    started: Stopwatch,
}

impl Record {
    pub fn new(interfering: Arc<Interfering>, scheduler: &Scheduler) -> Self {
        Self { interfering, started: scheduler.stopwatch() }
    }

    fn note(&self, replica: &str, text: &str) {
        self.interfering.note(replica, text, self.started.elapsed());
    }
}

impl Output {
    pub fn new(expectation: &Expectation, record: Option<Record>, lines_max: usize) -> Self {
        let (missing, forbidden) = (expectation.output.clone(), expectation.no_output.clone());
        Self(Arc::new(Mutex::new(Seen { missing, forbidden, record, lines_max, ..Seen::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line, whoever wrote it.
    pub fn line(&self, replica: &str, text: &str) {
        let shown = format!("{replica} │ {text}");
        let mut seen = self.lock();
        seen.record.iter().for_each(|record| record.note(replica, text));
        seen.missing.retain(|wanted| !shown.contains(wanted.as_str()));
        let Seen { forbidden, found, .. } = &mut *seen;
        forbidden.retain(|text| {
            let is_there = shown.contains(text.as_str());
            if is_there {
                found.push((text.clone(), shown.clone()));
            }
            !is_there
        });
        let lines_max = seen.lines_max;
        let (lines, left_out) = seen.replicas.entry(replica.to_owned()).or_default();
        lines.push_back(text.to_owned());
        if lines.len() > lines_max {
            lines.pop_front();
            *left_out += 1;
        }
    }

    /// What was not in the output and should have been, and the other way round.
    pub fn problems(&self) -> Vec<String> {
        let seen = self.lock();
        let missing = seen.missing.iter().map(|text| format!("`{text}` is in no line of the output"));
        let found = seen.found.iter().map(|(text, line)| format!("`{text}` is in the output: `{line}`"));
        missing.chain(found).collect()
    }

    fn note(&self, replica: &str, text: &str) {
        self.lock().record.iter().for_each(|record| record.note(replica, text));
    }

    fn failure(&self, text: String) {
        self.lock().failures.push(text);
    }

    /// What was said of failures.
    pub fn failures(&self) -> Vec<String> {
        self.lock().failures.clone()
    }

    /// The last lines of each replica.
    pub fn last_lines(&self) -> Vec<ReplicaOutput> {
        let seen = self.lock();
        let replicas = seen.replicas.iter().map(|(replica, (lines, left_out))| ReplicaOutput {
            replica: replica.clone(),
            lines: lines.iter().cloned().collect(),
            left_out: *left_out,
        });
        replicas.collect()
    }
}

impl Outputs for Output {
    fn sink(&self, label: &str) -> Arc<dyn LineSink> {
        Arc::new(ReplicaLines { output: self.clone(), label: label.to_owned() })
    }
}

struct ReplicaLines {
    output: Output,
    label: String,
}

impl LineSink for ReplicaLines {
    fn line(&self, _: LineSource, line: &[u8]) {
        self.output.line(&self.label, &String::from_utf8_lossy(line));
    }
}

/// Where a replica is, as far as a test waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub started: bool,
    pub ran: bool,
}

/// What happens to the replicas of a program under test, for whoever waits for it.
pub(crate) type Progresses = BTreeMap<ReplicaId, Progress>;

/// Takes note of what happens to a program under test.
pub(crate) struct Watching {
    pub progresses: watch::Sender<Progresses>,
    pub output: Output,
}

impl Observer for Watching {
    fn note(&mut self, note: &Note) {
        match note {
            // The test wanted that.
            Note::Failed { replica, failure } if failure.summary == CRASHED => self.output.note(replica, "crashed"),
            Note::Restarting { replica, .. } => self.output.note(replica, "restarts"),
            Note::Failed { replica, failure } => {
                self.output.failure(format!("`{replica}` failed: {}", failure.summary));
                let stack = failure.stack.iter().flat_map(|stack| stack.lines());
                stack.for_each(|line| self.output.line(replica, line));
            }
            Note::GivenUp { replica, max, window } => {
                self.output.failure(format!("`{replica}` ended more than {max} times within {window:?}"));
            }
            Note::Killing { replicas } => {
                self.output.failure(format!("the grace period was too short for {}", replicas.join(", ")));
            }
            _ => {}
        }
    }

    fn change(&mut self, replica: ReplicaId, change: &Change) {
        self.progresses.send_modify(|progresses| {
            let progress = progresses.entry(replica).or_default();
            match change {
                Change::Started => progress.started = true,
                Change::Ran => progress.ran = true,
                Change::Ended { .. } | Change::Failed { .. } => progress.started = false,
            }
        });
    }

    fn compiling(&mut self, _: &Compiling) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_judged_as_it_comes_and_only_its_end_is_kept() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let expectation = Expectation {
            output: texts(&["a/0 │ 3", "never"]),
            no_output: texts(&["7", "100"]),
            ..Expectation::default()
        };
        let output = Output::new(&expectation, None, 20);
        let sink = output.sink("a/0");
        (0..50).for_each(|number| sink.line(LineSource::Stdout, number.to_string().as_bytes()));
        assert_eq!(
            output.problems(),
            ["`never` is in no line of the output", "`7` is in the output: `a/0 │ 7`"].map(str::to_owned)
        );
        let last = output.last_lines();
        assert_eq!((last[0].replica.as_str(), last[0].left_out, last[0].lines.len()), ("a/0", 30, 20));
        assert_eq!(last[0].lines.first().map(String::as_str), Some("30"));
    }
}
