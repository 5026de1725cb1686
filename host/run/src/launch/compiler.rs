//! The process that compiles what the cache lacks: components are anybody's, and compiling one may take any time and memory, or
//! find a fault of the compiler. So it has the walls of a worker, a limit of memory and one of time.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use lp_base::plan::{ComponentFiles, NodeId, Plan, ReplicaId, WorkerPlan};
use lp_base::scheduler::Scheduler;
use lp_base::words::{Hardening, Sandbox};
use lp_runtime::CompileCache;
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::mpsc;

use super::fleet::Life;
use super::hardening::{Granted, harden};
use super::processes::ProcessOptions;
use super::protocol::send;
use super::with_causes;
use crate::worker::{Compiling, Worker, WorkerError};

/// The memory that compiling may take: of 2.5 MB made to be slow it takes 1.3 GiB.
const MEMORY_BYTES_MAX: u64 = 4 << 30;
/// The time that one component may take: the same take 100 s.
const TIME_MAX: Duration = Duration::from_secs(600);

/// What the process tells the launcher, each as a line of JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Report {
    /// What it is at.
    Compiling {
        /// What has happened.
        event: Compiling,
    },
    /// It could not compile a component.
    Failed {
        /// Why.
        message: String,
    },
    /// The cache has everything.
    Done,
}

/// Compiles the components of `plan`, which `cache` lacks, in this process, which must have a single thread and is of no use
/// for anything else after it.
pub fn run_compiler_process(
    plan: &Plan,
    components: &ComponentFiles,
    cache: CompileCache,
    executable: Option<PathBuf>,
    mut reports: impl Write,
) {
    let memory = Rlimit { current: Some(MEMORY_BYTES_MAX), maximum: Some(MEMORY_BYTES_MAX) };
    let limited = setrlimit(Resource::Data, memory);
    let bare = bare(plan);
    if plan.hardening != Hardening::Off {
        let files = components.of_worker(&bare, 0).map(PathBuf::from);
        let granted = Granted {
            read: executable.into_iter().chain(files).collect(),
            write: vec![cache.dir().to_owned()],
            sockets: Vec::new(),
        };
        let hardened = harden(&bare, 0, &granted);
        if let (Hardening::Require, Some(message)) = (plan.hardening, hardened.warning()) {
            return drop(send(&mut reports, &Report::Failed { message }));
        }
    }
    if let Err(error) = limited {
        let message = format!("the memory of the compiler can't be limited: {error}");
        return drop(send(&mut reports, &Report::Failed { message }));
    }
    let (compiling, mut events) = mpsc::unbounded_channel();
    let (plan, files, scheduler) = (plan.clone(), components.clone(), Scheduler::default());
    let (done, compiled) = std::sync::mpsc::channel();
    let own = scheduler.clone();
    let compile = move || {
        // Whoever waits for it has its end told by this process.
        let _ = done.send(Worker::compile(&plan, &files, cache, &compiling, &own));
    };
    if let Err(error) = scheduler.thread("compiler", compile) {
        return drop(send(&mut reports, &Report::Failed { message: error.to_string() }));
    }
    while let Some(event) = events.blocking_recv() {
        // A launcher that is gone has this process killed.
        let _ = send(&mut reports, &Report::Compiling { event });
    }
    let last = match compiled.recv() {
        Ok(Ok(())) => Report::Done,
        Ok(Err(error)) => Report::Failed { message: with_causes(&error) },
        Err(_) => Report::Failed { message: "the compiler panicked".to_owned() },
    };
    let _ = send(&mut reports, &last);
}

/// Has a process compile what `cache` lacks of the components of `plan`, and tells `compiling` of it. Dropping the future ends it.
///
/// # Errors
/// If a component can't be compiled.
pub async fn compile_missing(
    plan: &Plan,
    components: &ComponentFiles,
    cache: &CompileCache,
    setting: &ProcessOptions,
    compiling: &mpsc::UnboundedSender<Compiling>,
    scheduler: &Scheduler,
) -> Result<(), WorkerError> {
    let (asked, files, kept) = (plan.clone(), components.clone(), cache.clone());
    match scheduler.blocking(move || Worker::is_compiled(&asked, &files, &kept)).await {
        true => Ok(()),
        false => compile(plan, components, setting, compiling, scheduler).await,
    }
}

/// The plan without anything that its nodes are granted, with one worker for all of them.
fn bare(plan: &Plan) -> Plan {
    let mut bare = plan.clone();
    bare.nodes.iter_mut().for_each(|node| node.sandbox = Sandbox::default());
    let replicas = (0..).take(plan.nodes.len()).map(|node| ReplicaId { node: NodeId(node), index: 0 }).collect();
    bare.workers = vec![WorkerPlan { name: "compiler".to_owned(), replicas, colocation: None }];
    bare
}

/// Has a process compile what the cache lacks, and passes on what it tells. Dropping the future ends it.
async fn compile(
    plan: &Plan,
    components: &ComponentFiles,
    setting: &ProcessOptions,
    compiling: &mpsc::UnboundedSender<Compiling>,
    scheduler: &Scheduler,
) -> Result<(), WorkerError> {
    let failed = |source| WorkerError::Launch { name: "the compiler".to_owned(), source };
    let (reports, mut process) = setting.start_compiler(plan, components).map_err(failed)?;
    match listen(reports, compiling, scheduler).await {
        Some(Report::Done) => Ok(()),
        Some(Report::Failed { message }) => Err(WorkerError::NotCompiled { message }),
        Some(Report::Compiling { event }) => {
            process.kill();
            let (name, limit) = (event.component().display(), TIME_MAX.as_secs());
            Err(WorkerError::NotCompiled {
                message: format!("failed to compile `{name}`: it takes longer than {limit} s"),
            })
        }
        None => {
            let how = loop {
                match process.ended() {
                    Some(how) => break how,
                    None => scheduler.sleep(Duration::from_millis(1)).await,
                }
            };
            let gib = MEMORY_BYTES_MAX >> 30;
            let message = format!("failed to compile the components: {how}; it may take {gib} GiB of memory");
            Err(WorkerError::NotCompiled { message })
        }
    }
}

/// The last report, or the one after which nothing more came in time, or `None` if the process ended before its time.
async fn listen(
    reports: impl AsyncRead + Unpin,
    compiling: &mpsc::UnboundedSender<Compiling>,
    scheduler: &Scheduler,
) -> Option<Report> {
    let mut lines = BufReader::new(reports).lines();
    let mut last = None;
    loop {
        let line = match scheduler.timeout(TIME_MAX, lines.next_line()).await {
            Ok(line) => line.ok()??,
            Err(_) => return last,
        };
        match serde_json::from_str(&line).ok()? {
            Report::Compiling { event } => {
                // Nobody has to listen.
                let _ = compiling.send(event.clone());
                last = Some(Report::Compiling { event });
            }
            end => return Some(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use lp_base::words::{Access, PathGrant};

    use super::*;
    use crate::fixture;

    /// What is made of these lines of the process, and how many events were passed on.
    fn heard(lines: &str) -> (Option<Report>, usize) {
        let (compiling, mut events) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it can be made");
        let last = runtime.block_on(listen(lines.as_bytes(), &compiling, &Scheduler::default()));
        (last, std::iter::from_fn(|| events.try_recv().ok()).count())
    }

    fn line(report: &Report) -> String {
        serde_json::to_string(report).expect("a report can be written") + "\n"
    }

    #[test]
    fn what_the_compiler_tells_is_passed_on_until_it_is_done() {
        let begun = Compiling::Begun { component: "a.wasm".into(), bytes_len: 7, host: None };
        let begun = line(&Report::Compiling { event: begun });
        assert!(matches!(heard(&format!("{begun}{begun}{}", line(&Report::Done))), (Some(Report::Done), 2)));
        let failed = line(&Report::Failed { message: "why".to_owned() });
        assert!(
            matches!(heard(&format!("{failed}{begun}")), (Some(Report::Failed { message }), 0) if message == "why")
        );
        // It was killed, or somebody else writes.
        for end in ["", "{\"type\":\"do", "hello\n"] {
            assert!(matches!(heard(&format!("{begun}{end}")), (None, 1)), "{end:?}");
        }
    }

    #[test]
    fn the_compiler_has_no_grant_of_any_node() {
        let mut plan = fixture::plan(vec![fixture::node("a"), fixture::node("b")]);
        let (host, guest, access) = ("/".into(), "/data".to_owned(), Access::ReadWrite);
        plan.nodes[1].sandbox.dirs.push(PathGrant { host, guest, access });
        let bare = bare(&plan);
        assert!(bare.nodes.iter().all(|node| node.sandbox == Sandbox::default()));
        assert_eq!(bare.workers.len(), 1);
        assert_eq!(bare.workers[0].replicas.len(), 2);
    }
}
