//! What came of tests: on the screen, as JSON, for GitHub, and as a file in the format of JUnit.

use std::collections::BTreeMap;
use std::time::Duration;

use lp_base::shown;
use lp_run::supervise::Signal;
use lp_testing::Report;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde_json::json;

use super::Format;
use crate::cli::screen::Screen;

/// How many events at the end of a run a failed test shows.
const LINES_AT_END: usize = 30;

/// How many events before and after a fault it shows, and of how many faults.
const LINES_AROUND_FAULT: usize = 6;
const FAULTS_SHOWN_MAX: usize = 3;

/// A test that is done.
pub(super) struct Done {
    /// The file that it is in.
    pub(super) suite: String,
    /// What came of it.
    pub(super) report: Report,
    /// How many of its calls now expect what came. A test with any is none that failed.
    pub(super) updated: usize,
}

impl Done {
    fn passed(&self) -> bool {
        self.report.passed() || self.updated > 0
    }
}

/// Writes results as they come.
pub(super) struct Reporter<'a> {
    format: Format,
    screen: &'a Screen,
    tests: usize,
    done: Vec<Done>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(format: Format, screen: &'a Screen, tests: usize) -> Self {
        Self { format, screen, tests, done: Vec::new() }
    }

    fn failed(&self) -> usize {
        self.done.iter().filter(|done| !done.passed()).count()
    }

    /// Writes what came of a test.
    pub(super) fn done(&mut self, done: Done) {
        match self.format {
            Format::Json => self.screen.data(&format!("{}\n", to_json(&done))),
            Format::Text => self.write(&done),
            Format::Github => {
                self.write(&done);
                for problem in done.report.problems.iter().filter(|_| !done.passed()) {
                    self.screen.data(&annotation(&done, problem));
                }
            }
        }
        self.done.push(done);
    }

    fn write(&self, Done { suite, report, updated }: &Done) {
        let time = seconds(report.elapsed);
        if *updated > 0 {
            let calls = if *updated == 1 { "call" } else { "calls" };
            return self.screen.text(&format!("updated{time}  {suite} {}, {updated} {calls}", report.name));
        }
        if report.passed() {
            let seeds = if report.seeds > 0 { format!(", {} seeds", report.seeds) } else { String::new() };
            return self.screen.text(&format!("ok     {time}  {suite} {}{seeds}", report.name));
        }
        let mut details = report.problems.iter().map(|problem| format!("  {}", indented(problem))).collect::<Vec<_>>();
        if let Some(found) = &report.found {
            details.push(format!("  seed {} fails, the first of {} runs: {}", found.seed, report.seeds, found.command));
            details.push(format!(
                "  it fails with {} of its {} faults and changes of order too: {}",
                found.left, found.happenings, found.shrunk_command
            ));
        }
        details.extend(history(report));
        for replica in &report.output {
            let left_out = match replica.left_out {
                0 => String::new(),
                count => format!(", after {count} others"),
            };
            details.push(format!("  the last lines of `{}`{left_out}:", replica.replica));
            details.extend(replica.lines.iter().map(|line| format!("    {}", indented(line))));
        }
        self.screen.error(&format!("{time}  {suite} {}", report.name), Some(&details.join("\n")));
    }

    /// Whether every test has passed.
    pub(super) fn all_passed(&self) -> bool {
        self.done.len() == self.tests && self.failed() == 0
    }

    /// Says that a test takes long.
    pub(super) fn slow(&self, test: &str) {
        self.screen.note(&slow(test));
    }

    /// Says that a signal ended the tests.
    pub(super) fn stopped(&self, signal: Signal) {
        let left = self.tests - self.done.len();
        self.screen.note(&format!("{signal}: {left} of {} tests have not ended", self.tests));
    }

    /// Writes how many tests passed.
    pub(super) fn finish(&self) {
        let (failed, done) = (self.failed(), self.done.len());
        let (passed, left) = (done - failed, self.tests - done);
        if self.format == Format::Json {
            let summary = json!({ "type": "summary", "passed": passed, "failed": failed, "not-run": left });
            return self.screen.data(&format!("{summary}\n"));
        }
        let left = match left {
            0 => String::new(),
            left if failed > 0 => format!(", {left} not run: `--no-fail-fast` goes on after a failure"),
            left => format!(", {left} ended without a report"),
        };
        self.screen.text(&format!("{passed} passed, {failed} failed{left}"));
    }

    /// The tests that are done, in the format of JUnit.
    pub(super) fn junit(&self) -> String {
        let mut report = quick_junit::Report::new("lp-host test");
        let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
        for done @ Done { suite, report, .. } in &self.done {
            let mut status = TestCaseStatus::success();
            if !done.passed() {
                status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(report.problems.join("\n"));
            }
            let mut case = TestCase::new(report.name.clone(), status);
            case.set_time(report.elapsed).set_classname(suite.clone());
            let lines = report
                .output
                .iter()
                .flat_map(|replica| replica.lines.iter().map(|line| format!("{} │ {line}\n", replica.replica)));
            if !report.output.is_empty() {
                case.set_system_out(lines.collect::<String>());
            }
            suites.entry(suite).or_insert_with(|| TestSuite::new(suite.clone())).add_test_case(case);
        }
        report.add_test_suites(suites.into_values());
        report.to_string().expect("it is written to memory")
    }
}

/// What is said of something that has taken long.
pub(super) fn slow(what: &str) -> String {
    format!("{what} has been running for more than a minute; a guest that computes for ever is ended by `limits.fuel`")
}

/// What happened in a run with faults, or in one that a search has found: around the first faults, and at the end.
fn history(report: &Report) -> Vec<String> {
    let timeline = report.timeline.as_ref();
    let Some(timeline) = timeline.filter(|timeline| timeline.has_faults() || report.found.is_some()) else {
        return Vec::new();
    };
    let lines = timeline.lines();
    let faults = lines.iter().enumerate().filter(|(_, (_, is_fault))| *is_fault).take(FAULTS_SHOWN_MAX);
    let faults: Vec<_> = faults.map(|(place, _)| place).collect();
    let is_shown = |place: usize| {
        place + LINES_AT_END >= lines.len() || faults.iter().any(|fault| fault.abs_diff(place) <= LINES_AROUND_FAULT)
    };
    let mut shown = vec!["  what happened:".to_owned()];
    let mut left_out = 0;
    for (place, (line, _)) in lines.iter().enumerate() {
        if !is_shown(place) {
            left_out += 1;
            continue;
        }
        if left_out > 0 {
            shown.push(format!("    … {left_out} events"));
            left_out = 0;
        }
        shown.push(format!("    {line}"));
    }
    shown
}

/// A time of the same width for all tests that take less than 1,000 seconds.
fn seconds(time: Duration) -> String {
    format!("{:7.3}s", time.as_secs_f64())
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n    ")
}

fn to_json(done @ Done { suite, report, updated }: &Done) -> serde_json::Value {
    let output = report
        .output
        .iter()
        .map(|replica| json!({ "replica": replica.replica, "lines": replica.lines, "left-out": replica.left_out }));
    json!({
        "type": "test",
        "file": suite,
        "name": report.name,
        "passed": done.passed(),
        "updated": updated,
        "problems": report.problems,
        "calls": report.answers.len(),
        "seeds": report.seeds,
        "found": report.found.as_ref().map(|found| json!({
            "seed": found.seed,
            "happenings": found.happenings,
            "left": found.left,
            "command": found.command,
            "shrunk-command": found.shrunk_command,
        })),
        "elapsed-ms": u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
        "output": output.collect::<Vec<_>>(),
    })
}

/// A workflow command of GitHub, in which a few characters have a meaning of their own.
fn annotation(Done { suite, report, .. }: &Done, problem: &str) -> String {
    let message = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| message(text).replace(':', "%3A").replace(',', "%2C");
    let problem = message(&shown::lines(problem));
    format!("::error file={},title={}::{problem}\n", property(suite), property(&report.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Done {
        let report = Report {
            name: "counts".to_owned(),
            problems: vec!["`a.b()`: 100% wrong,\nsee <x>".to_owned()],
            output: Vec::new(),
            answers: Vec::new(),
            elapsed: Duration::from_millis(20),
            seeds: 0,
            found: None,
            timeline: None,
        };
        Done { suite: "a,b.test.toml".to_owned(), report, updated: 0 }
    }

    #[test]
    fn annotations_have_no_line_of_their_own_in_them() {
        let expected = "::error file=a%2Cb.test.toml,title=counts::`a.b()`: 100%25 wrong,%0Asee <x>\n";
        assert_eq!(annotation(&failed(), &failed().report.problems[0]), expected);
    }
}
