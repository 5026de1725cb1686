//! One test from its launch to its report.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lp_base::plan::{LaunchType, NodeId, Plan, ReplicaId, Secrets};
use lp_base::replica::Stop;
use lp_base::scheduler::{Scheduler, SimulationError};
use lp_program::lower;
use lp_program::program::{NodeState, ProgramOutcome, Test};
use lp_run::launch::{Credentials, LaunchOptions, NoRandomness, OutsideCall, ProcessOptions};
use lp_run::supervise::{Outcome, ReplicaState, RunReport, Signal, SuperviseOptions, supervise};
use lp_run::worker::WorkerError;
use lp_runtime::CompileCache;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use crate::interfering::Interfering;
use crate::isolation::isolate;
use crate::observed::{Output, Progresses, Record, Watching};
use crate::report::{Answer, Report};
use crate::script::{Script, callee};

/// How long a program has beyond its grace period before a test gives up on its end.
const END_TIME: Duration = Duration::from_secs(10);

/// How many lines of a replica a failed test shows.
pub const LINES_SHOWN_MAX: usize = 20;

/// How tests are run.
pub struct Options {
    /// Whether replicas are threads of this process, or processes of their own.
    pub launch_type: LaunchType,
    /// A directory in which each test has one of its own. Its path must be short, because those of sockets are in it.
    pub dir: PathBuf,
    /// Where compiled components are kept, if anywhere.
    pub cache: Option<CompileCache>,
    /// The command that makes a worker process, for the launch type `processes`.
    pub worker: (PathBuf, Vec<OsString>),
    /// Whether a test makes its further calls after one that was not answered as expected.
    pub goes_on: bool,
    /// How many lines of a replica are kept, the last ones. A test that passes keeps none unless it is more than a failed one
    /// shows, [`LINES_SHOWN_MAX`].
    pub lines_max: usize,
    /// The secrets of a plan, of which a test without that grant asks for none.
    pub secrets: fn(&Plan) -> Result<Secrets, String>,
}

/// Why a test can't be run at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its directory can't be made or filled.
    #[error("the directory of the test: {0}")]
    Dir(#[source] io::Error),
    /// The edges can't be protected.
    #[error(transparent)]
    Credentials(#[from] NoRandomness),
    /// A secret is missing.
    #[error("{0}")]
    Secrets(String),
    /// The program can't be launched.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// Nothing can happen any more in a deterministic run.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
}

/// Runs a test with the time and the tasks of `scheduler`, on the tokio runtime that this is called on. That must have
/// several threads unless it is that of a simulation. Nothing of the test is left.
///
/// Dropping the future drops every replica, wherever its guest is, and kills worker processes.
///
/// # Errors
/// If the test can't be run. One that was run and failed is no error: its report says so.
pub async fn run(test: &Test, options: &Options, scheduler: Scheduler) -> Result<Report, Error> {
    run_interfered(test, options, scheduler, None).await
}

/// The same in a simulation whose interference is `interfering`.
pub(crate) async fn run_interfered(
    test: &Test,
    options: &Options,
    scheduler: Scheduler,
    interfering: Option<Arc<Interfering>>,
) -> Result<Report, Error> {
    let drive = async |running: &Running<'_>, changes, steps: &mut Steps| running.steps(changes, steps).await;
    run_driven(test, options, scheduler, interfering, drive).await
}

/// The same where `drive` decides what is done with the program, until it returns.
pub(crate) async fn run_driven(
    test: &Test,
    options: &Options,
    scheduler: Scheduler,
    interfering: Option<Arc<Interfering>>,
    drive: impl AsyncFnOnce(&Running<'_>, watch::Receiver<Progresses>, &mut Steps),
) -> Result<Report, Error> {
    let started = scheduler.stopwatch();
    let until = scheduler.now() + test.timeout;
    let dir = tempfile::Builder::new().prefix("t").tempdir_in(&options.dir).map_err(Error::Dir)?;
    let (mut plan, components) = lower(&test.linked, options.launch_type);
    isolate(&mut plan, &test.grants, dir.path()).map_err(Error::Dir)?;
    let credentials = Arc::new(Credentials::random(&plan, &scheduler)?);
    let record = interfering.clone().map(|interfering| Record::new(interfering, &scheduler));
    let output = Output::new(&test.expectation, record, options.lines_max);
    let run_dir = dir.path().join("run");
    std::fs::create_dir(&run_dir).map_err(Error::Dir)?;
    let processes = match options.launch_type {
        // Nobody else calls its nodes, and a simulation has no sockets.
        LaunchType::Threads => None,
        LaunchType::Processes | LaunchType::Remote => {
            Some(ProcessOptions { command: options.worker.clone(), dir: run_dir })
        }
    };
    let launching = LaunchOptions {
        components,
        secrets: (options.secrets)(&plan).map_err(Error::Secrets)?,
        cache: options.cache.clone(),
        outputs: Arc::new(output.clone()),
        credentials,
        processes,
        remote: None,
        scheduler: scheduler.clone(),
    };
    let goes_on = options.goes_on;
    let ((hurry, signals), over) = (mpsc::unbounded_channel(), Stop::default());
    let (calls, outside) = mpsc::unbounded_channel();
    let (status_requests, rebuilds) = (mpsc::channel(1).1, mpsc::channel(1).1);
    let setting =
        SuperviseOptions { launching, signals, over: over.clone(), status_requests, rebuilds, calls: outside };
    let running =
        Running { test, plan: Arc::new(plan), _dir: dir, hurry, over, calls, until, scheduler, goes_on, interfering };
    let (problems, answers) = running.run(setting, &output, drive).await?;
    let last_lines =
        if problems.is_empty() && options.lines_max <= LINES_SHOWN_MAX { Vec::new() } else { output.last_lines() };
    Ok(Report {
        name: test.name.clone(),
        problems,
        output: last_lines,
        answers,
        elapsed: started.elapsed(),
        seeds: 0,
        found: None,
        timeline: None,
    })
}

pub(crate) struct Running<'a> {
    test: &'a Test,
    pub plan: Arc<Plan>,
    /// Removed with all that is in it when the test is over.
    _dir: TempDir,
    /// Ends a program that takes too long, also while it starts.
    hurry: mpsc::UnboundedSender<Signal>,
    /// Asks the program to stop, if nobody has.
    over: Stop,
    pub calls: mpsc::UnboundedSender<OutsideCall>,
    pub until: Instant,
    pub scheduler: Scheduler,
    goes_on: bool,
    /// What goes wrong, in a simulation.
    interfering: Option<Arc<Interfering>>,
}

/// What the test itself has come to.
#[derive(Default)]
pub(crate) struct Steps {
    pub problems: Vec<String>,
    pub answers: Vec<Answer>,
    /// What it waits for.
    pub waiting: Option<String>,
}

impl Running<'_> {
    async fn run(
        &self,
        setting: SuperviseOptions,
        output: &Output,
        drive: impl AsyncFnOnce(&Self, watch::Receiver<Progresses>, &mut Steps),
    ) -> Result<(Vec<String>, Vec<Answer>), Error> {
        let (progresses, changes) = watch::channel(Progresses::new());
        let mut watching = Watching { progresses, output: output.clone() };
        let mut steps = Steps::default();
        let mut supervising = pin!(supervise(self.plan.clone(), setting, &mut watching));
        let ended_by_itself = {
            let mut going = pin!(drive(self, changes.clone(), &mut steps));
            let faults = async {
                match &self.interfering {
                    Some(interfering) => interfering.keep_time(&self.scheduler).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = faults => None,
                report = &mut supervising => Some(report?),
                () = &mut going => None,
                () = self.scheduler.sleep_until(self.until) => None,
            }
        };
        let is_late = ended_by_itself.is_none() && self.scheduler.now() >= self.until;
        if is_late {
            let waiting = steps.waiting.as_deref().unwrap_or("the end of the program");
            steps
                .problems
                .push(format!("it took longer than its timeout of {:?}, waiting for {waiting}", self.test.timeout));
        }
        let report = match ended_by_itself {
            Some(report) => {
                self.judge_early_end(&report, &changes, &mut steps);
                report
            }
            None => {
                // One that stops already would take a signal as the wish not to wait for its nodes.
                if !is_late {
                    self.over.request();
                } else if !self.ends_by_itself(&changes.borrow()) {
                    // The receiver lives as long as the program.
                    let _ = self.hurry.send(Signal::Terminate);
                }
                let grace = Duration::from_millis(self.plan.grace_ms);
                match self.scheduler.timeout(grace + END_TIME, supervising).await {
                    Ok(report) => report?,
                    Err(_) => {
                        steps.problems.push("the program did not end".to_owned());
                        return Ok((steps.problems, steps.answers));
                    }
                }
            }
        };
        let Steps { mut problems, answers, .. } = steps;
        problems.extend(self.judge(&report, output.failures(), &changes.borrow()));
        problems.extend(output.problems());
        Ok((problems, answers))
    }

    /// Makes the calls of the test, then waits for the runs that it waits for. Never ends without either.
    async fn steps(&self, mut changes: watch::Receiver<Progresses>, steps: &mut Steps) {
        let script = Script { plan: &self.plan, calls: &self.calls };
        for call in &self.test.calls {
            let callee = callee(call);
            steps.waiting = Some(format!("`{}` to start", self.plan.label(callee)));
            let is_up = |progresses: &Progresses| progresses.get(&callee).is_some_and(|progress| progress.started);
            if changes.wait_for(is_up).await.is_err() {
                return;
            }
            steps.waiting = Some(format!("`{}`", call.line));
            let left = self.until.saturating_duration_since(self.scheduler.now());
            let (answer, problem) = script.call(call, left).await;
            steps.answers.push(answer);
            if let Some(problem) = problem {
                steps.problems.push(problem);
                if !self.goes_on {
                    return;
                }
            }
        }
        steps.waiting = None;
        if self.test.calls.is_empty() && self.test.waits_for.is_empty() {
            return std::future::pending().await;
        }
        for (node, replica) in self.waited_for() {
            steps.waiting = Some(format!("the `run` of `{node}`"));
            let has_run = |progresses: &Progresses| progresses.get(&replica).is_some_and(|progress| progress.ran);
            if changes.wait_for(has_run).await.is_err() {
                return;
            }
        }
        steps.waiting = None;
    }

    /// The replicas whose `run` the test waits for, with their nodes.
    fn waited_for(&self) -> impl Iterator<Item = (&str, ReplicaId)> {
        let nodes = (0..).map(NodeId).zip(&self.plan.nodes);
        let nodes = nodes.filter(|(_, node)| self.test.waits_for.contains(&node.name));
        nodes.flat_map(|(id, node)| {
            (0..node.replicas).map(move |index| (node.name.as_str(), ReplicaId { node: id, index }))
        })
    }

    /// Whether every `run` of the program has returned.
    fn ends_by_itself(&self, progresses: &Progresses) -> bool {
        let nodes = (0..).map(NodeId).zip(&self.plan.nodes).filter(|(_, node)| node.has_run());
        let mut replicas =
            nodes.flat_map(|(id, node)| (0..node.replicas).map(move |index| ReplicaId { node: id, index })).peekable();
        let has_run = |replica| progresses.get(&replica).is_some_and(|progress| progress.ran);
        replicas.peek().is_some() && replicas.all(has_run)
    }

    /// What a program that ended by itself has left undone.
    fn judge_early_end(&self, report: &RunReport, changes: &watch::Receiver<Progresses>, steps: &mut Steps) {
        if let Some(call) = self.test.calls.get(steps.answers.len()).filter(|_| steps.problems.is_empty()) {
            let line = &call.line;
            steps.problems.push(match report.outcome {
                Outcome::Failed => format!("the program failed before `{line}` was answered"),
                _ => format!(
                    "the program ended before `{line}` was answered: it ends when every `run` has returned, which \
                     `program.nodes.NAME.run = false` leaves out"
                ),
            });
        }
        let progresses = changes.borrow();
        let has_run = |replica: &ReplicaId| progresses.get(replica).is_some_and(|progress| progress.ran);
        let missing = self.waited_for().find(|(_, replica)| !has_run(replica));
        steps
            .problems
            .extend(missing.map(|(node, _)| format!("the program ended before the `run` of `{node}` returned")));
    }

    fn judge(&self, report: &RunReport, failures: Vec<String>, progresses: &Progresses) -> Vec<String> {
        let expectation = &self.test.expectation;
        let mut problems = Vec::new();
        match (expectation.outcome, report.outcome == Outcome::Failed || !failures.is_empty()) {
            (ProgramOutcome::Finished, true) if failures.is_empty() => problems.push("the program failed".to_owned()),
            (ProgramOutcome::Finished, true) => problems.extend(failures),
            (ProgramOutcome::Failed, false) => problems.push("the program was to fail, and did not".to_owned()),
            _ => {}
        }
        problems.extend(self.wrong_states(report, progresses));
        problems
    }

    /// The replicas that did not end as the test expects.
    fn wrong_states(&self, report: &RunReport, progresses: &Progresses) -> Vec<String> {
        // The report has all replicas, in the order of the plan.
        let replicas = self.plan.replicas().zip(&report.replicas).filter_map(|(id, replica)| {
            let expected = *self.test.expectation.states.get(&replica.node)?;
            let has_run = progresses.get(&id).is_some_and(|progress| progress.ran);
            let is_right = match (expected, state(replica.state)) {
                // One that serves calls goes on after its `run`, and ends with the program.
                (NodeState::Finished, Some(NodeState::Ended)) => has_run,
                (expected, found) => found == Some(expected),
            };
            (!is_right).then(|| {
                let (node, index, found) = (&replica.node, replica.index, replica.state.name());
                format!("`{node}/{index}` was to be {}, and is {found}", name(expected))
            })
        });
        replicas.collect()
    }
}

fn state(state: ReplicaState) -> Option<NodeState> {
    match state {
        ReplicaState::Ran => Some(NodeState::Finished),
        ReplicaState::Ended => Some(NodeState::Ended),
        ReplicaState::Failed => Some(NodeState::Failed),
        ReplicaState::Killed => Some(NodeState::Killed),
        ReplicaState::Starting | ReplicaState::Running | ReplicaState::Restarting => None,
    }
}

fn name(state: NodeState) -> &'static str {
    match state {
        NodeState::Finished => "finished",
        NodeState::Ended => "ended",
        NodeState::Failed => "failed",
        NodeState::Killed => "killed",
    }
}
