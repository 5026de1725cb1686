//! Tests of programs that are written in Rust, from `#[test]`s.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lp_base::plan::{LaunchType, Secrets};
use lp_program::program::{
    Answer, Double, Expectation, Grant, Node, Problem, Problems, Program, ProgramOutcome, ScriptCall, Test,
};
use lp_runtime::CompileCache;
use tokio::sync::watch;

use crate::observed::Progresses;
use crate::report::{Came, ReplicaOutput, Report};
use crate::run::{Error, Options, Running, run_driven};
use crate::script::{Script, callee};
use crate::timeline::{Call, Timeline};
use crate::trial::Trial;

/// How long a test may take, in virtual time.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How many lines of each replica are kept.
const LINES_MAX: usize = 10_000;

/// A test of a program, which runs in virtual time as its seed decides, in the sandbox that `lp-host test` has.
///
/// ```no_run
/// use lp_testing::ProgramTest;
///
/// let test = ProgramTest::load("program.toml")?.seed(7).without_run("consumer").double("producer", ["produce(_) -> 7"]);
/// let ran = test.run(async |program| {
///     assert_eq!(program.call("consumer.step()").await.as_deref(), Ok("ok([7, 7])"));
/// })?;
/// assert_eq!(ran.calls_of("producer").count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ProgramTest {
    program: Program,
    trial: Trial,
    timeout: Duration,
    grants: BTreeSet<Grant>,
    outcome: ProgramOutcome,
    cache: Option<CompileCache>,
}

/// What came of a run that went as it should.
#[derive(Debug)]
pub struct Ran<T> {
    /// What the test made of it.
    pub value: T,
    /// What each replica printed.
    pub output: Vec<ReplicaOutput>,
    /// All that happened.
    pub timeline: Timeline,
}

/// Why a test did not run as it should. As text it has everything that a person wants to see, also by `unwrap`.
#[derive(thiserror::Error)]
pub enum TestFailure {
    /// The program is wrong.
    #[error("{}", .0.render(false))]
    Wrong(Problems),
    /// The system refused a directory for the test.
    #[error("the directory of the test: {0}")]
    Dir(#[source] io::Error),
    /// The program can't be run.
    #[error(transparent)]
    NotRun(#[from] Error),
    /// It was run and failed.
    #[error("{}", shown(.0))]
    Failed(Box<Report>),
}

impl fmt::Debug for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The problems of a run, and the last lines of its replicas.
fn shown(report: &Report) -> String {
    let lines = report.output.iter().flat_map(|replica| {
        let last = replica.lines.len().saturating_sub(crate::LINES_SHOWN_MAX);
        replica.lines[last..].iter().map(|line| format!("{} │ {line}", replica.replica))
    });
    report.problems.iter().cloned().chain(lines).collect::<Vec<_>>().join("\n")
}

impl ProgramTest {
    /// A test of the program in the file at `path`.
    ///
    /// # Errors
    /// Every mistake in the file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Problems> {
        Ok(Self::of(Program::load(path.as_ref(), &[])?))
    }

    /// A test of a program that was built in Rust.
    pub fn of(program: Program) -> Self {
        Self {
            program,
            trial: Trial::of_seed(0),
            timeout: TIMEOUT,
            grants: BTreeSet::new(),
            outcome: ProgramOutcome::Finished,
            cache: None,
        }
    }

    /// What everything follows from that is left to chance; 0 if nothing is said.
    pub fn seed(self, seed: u64) -> Self {
        self.trial(Trial::of_seed(seed))
    }

    /// What the run follows from.
    pub fn trial(self, trial: Trial) -> Self {
        Self { trial, ..self }
    }

    /// How long it may take in virtual time; 30 s if nothing is said.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// A grant of the program that its nodes keep.
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grants.insert(grant);
        self
    }

    /// Where compiled components are kept. Without it they are compiled for each run.
    pub fn cache(self, cache: CompileCache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// Has the test want the program to fail.
    pub fn fails(self) -> Self {
        Self { outcome: ProgramOutcome::Failed, ..self }
    }

    /// Has a node only serve calls.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn without_run(mut self, node: &str) -> Self {
        self.node(node).run = false;
        self
    }

    /// Has another component take the place of a node's.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn component(mut self, node: &str, component: impl AsRef<Path>) -> Self {
        component.as_ref().clone_into(&mut self.node(node).component);
        self
    }

    /// Has a double answer the calls of a node, in the words of `doubles` in a file of tests.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn double<A: Into<Answer>>(mut self, node: &str, answers: impl IntoIterator<Item = A>) -> Self {
        let answers = answers.into_iter().map(Into::into).collect();
        self.node(node).replace(Double { answers });
        self
    }

    /// A node, to be changed in any other way.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn node(&mut self, name: &str) -> &mut Node {
        let node = self.program.nodes.iter_mut().find(|node| node.name == name);
        node.unwrap_or_else(|| panic!("no node is named `{name}`"))
    }

    /// Runs the program on this thread, until `drive` returns and the program has ended after that.
    ///
    /// # Errors
    /// If the program is wrong, can't be run, or did not end as it should.
    pub fn run<T>(self, drive: impl AsyncFnOnce(&Tested<'_>) -> T) -> Result<Ran<T>, TestFailure> {
        let dir = tempfile::Builder::new().prefix("lp-").tempdir().map_err(TestFailure::Dir)?;
        let options = Options {
            launch_type: LaunchType::Threads,
            dir: dir.path().to_owned(),
            cache: self.cache,
            worker: Default::default(),
            goes_on: false,
            lines_max: LINES_MAX,
            secrets: |_| Ok(Secrets::default()),
        };
        let test = Test {
            name: self.program.name.clone(),
            linked: Arc::new(self.program.link().map_err(TestFailure::Wrong)?),
            calls: Vec::new(),
            waits_for: BTreeSet::new(),
            timeout: self.timeout,
            grants: self.grants,
            faults: Vec::new(),
            expectation: Expectation { outcome: self.outcome, ..Expectation::default() },
            listing: None,
        };
        let mut value = None;
        let mut tried = self.trial.simulate(&test, |scheduler, interfering| {
            let (test, value) = (&test, &mut value);
            run_driven(test, &options, scheduler, Some(interfering), async move |running, changes, _| {
                *value = Some(drive(&Tested { test, running, changes }).await);
            })
        })?;
        if value.is_none() && tried.report.passed() {
            let problem = "the program ended before its test did: it ends when every `run` has returned";
            tried.report.problems.push(problem.to_owned());
        }
        match value {
            Some(value) if tried.report.passed() => {
                Ok(Ran { value, output: tried.report.output, timeline: tried.timeline })
            }
            _ => Err(TestFailure::Failed(Box::new(tried.report))),
        }
    }
}

impl<T> Ran<T> {
    /// The calls that replicas of a node got, in the order in which they were made.
    pub fn calls_of(&self, node: &str) -> impl Iterator<Item = Call> {
        self.timeline
            .calls()
            .into_iter()
            .filter(move |call| call.callee.strip_prefix(node).is_some_and(|replica| replica.starts_with('/')))
    }

    /// The lines that a replica printed, such as `consumer/0`. A double has one for each call.
    pub fn lines(&self, replica: &str) -> &[String] {
        let found = self.output.iter().find(|output| output.replica == replica);
        found.map_or(&[], |output| &output.lines)
    }
}

/// A program while it runs.
pub struct Tested<'a> {
    test: &'a Test,
    running: &'a Running<'a>,
    changes: watch::Receiver<Progresses>,
}

/// Why a call of a test gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    /// It is no call of the program.
    #[error("{0}")]
    Wrong(String),
    /// It failed with that call error.
    #[error("the call failed: {case}{}", .message.iter().map(|message| format!(" ({message})")).collect::<String>())]
    Error {
        /// The case, such as `unavailable`.
        case: &'static str,
        /// What it says beside that.
        message: Option<String>,
    },
}

impl Tested<'_> {
    /// Makes a call from outside, such as `consumer.step()` or `producer/1.produce(5)`, once its replica is up. Returns the
    /// result as WAVE; a function without one gives an empty text.
    ///
    /// # Errors
    /// If the line is no call of the program, or the call fails.
    pub async fn call(&self, line: &str) -> Result<String, CallFailure> {
        match self.came(line).await? {
            Came::Result { wave, .. } => Ok(wave),
            Came::Nothing => Ok(String::new()),
            Came::Error { case, message } => Err(CallFailure::Error { case, message }),
        }
    }

    /// The same with the result as JSON; `null` for a function without one.
    ///
    /// # Errors
    /// As [`Tested::call`].
    pub async fn call_json(&self, line: &str) -> Result<serde_json::Value, CallFailure> {
        match self.came(line).await? {
            Came::Result { json, .. } => Ok(json),
            Came::Nothing => Ok(serde_json::Value::Null),
            Came::Error { case, message } => Err(CallFailure::Error { case, message }),
        }
    }

    /// Waits, in virtual time.
    pub async fn sleep(&self, time: Duration) {
        self.running.scheduler.sleep(time).await;
    }

    async fn came(&self, line: &str) -> Result<Came, CallFailure> {
        let wrong = |Problem { message, help, .. }| {
            CallFailure::Wrong([Some(message), help].into_iter().flatten().collect::<Vec<_>>().join("; "))
        };
        let call = ScriptCall::read(&self.test.linked, line).map_err(wrong)?;
        let callee = callee(&call);
        let is_up = |progresses: &Progresses| progresses.get(&callee).is_some_and(|progress| progress.started);
        // Where nothing runs any more, the call says so.
        let _ = self.changes.clone().wait_for(is_up).await;
        let script = Script { plan: &self.running.plan, calls: &self.running.calls };
        let left = self.running.until.saturating_duration_since(self.running.scheduler.now());
        Ok(script.call(&call, left).await.0.came)
    }
}
