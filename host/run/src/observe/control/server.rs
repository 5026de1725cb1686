//! The side of the control socket that answers: tasks beside the run, which it never waits for.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use lp_base::plan::{NodeId, Plan};
use lp_base::scheduler::{Scheduler, Stopwatch};
use lp_courier::grpc::is_own_user;
use lp_trust::WorkerTls;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Reply, Request, RunStatus};
use crate::launch::{Credentials, RunId};
use crate::observe::end::RunEnd;
use crate::observe::log_line::LogLine;
use crate::observe::recent::{LineReader, RecentLines};
use crate::supervise::{Signal, StatusRequest};
use crate::worker::Caller;

/// How many clients are served at once; more are turned away.
const CLIENTS_MAX: usize = 512;

/// The longest request.
const REQUEST_BYTES_MAX: u64 = 4096;

/// How long a client may take to ask, or to read what it was sent, before it is dropped.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long clients have, once the run has ended, to read what they were not sent yet.
const DRAIN_TIME: Duration = Duration::from_millis(500);

/// How long to wait after a connection that could not be taken, for want of file descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What clients of the control socket can see and do.
pub struct Control {
    id: RunId,
    plan: Arc<Plan>,
    started: (SystemTime, Stopwatch),
    recent: RecentLines,
    signals: mpsc::UnboundedSender<Signal>,
    status_requests: mpsc::Sender<StatusRequest>,
    credentials: Arc<Credentials>,
    identity: Arc<OnceLock<WorkerTls>>,
    scheduler: Scheduler,
}

impl Control {
    /// The control of a run of `plan` that starts now. Requests to stop go to `signals`, and clients that want to call a
    /// node get a credential from `credentials`, and `identity` once it is known that the run has other hosts.
    pub fn new(
        id: RunId,
        plan: Arc<Plan>,
        recent: RecentLines,
        signals: mpsc::UnboundedSender<Signal>,
        status_requests: mpsc::Sender<StatusRequest>,
        (credentials, identity): (Arc<Credentials>, Arc<OnceLock<WorkerTls>>),
        scheduler: Scheduler,
    ) -> Self {
        let started = (scheduler.wall(), scheduler.stopwatch());
        Self { id, plan, started, recent, signals, status_requests, credentials, identity, scheduler }
    }

    async fn status(&self) -> Option<RunStatus> {
        let (request, replicas) = StatusRequest::new();
        self.status_requests.send(request).await.ok()?;
        let replicas = replicas.await.ok()?;
        let (started, since) = &self.started;
        let since_1970 = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(RunStatus {
            id: self.id.to_string(),
            program: self.plan.program.clone(),
            launch_type: self.plan.launch_type.to_string(),
            pid: std::process::id(),
            started_unix_s: since_1970.as_secs(),
            uptime_ms: u64::try_from(since.elapsed().as_millis()).expect("no process is as old as 2^64 milliseconds"),
            replicas,
        })
    }

    /// What the user of the run shows to a node that they call.
    fn credential(&self, node: &str) -> Reply {
        let mut nodes = (0..).map(NodeId).zip(&self.plan.nodes);
        let found = nodes.find(|(_, known)| known.name == node);
        match found.and_then(|(id, _)| self.credentials.of(Caller::User, id)) {
            Some(credential) => {
                Reply::Credential { credential: credential.clone(), identity: self.identity.get().cloned() }
            }
            None => error_reply(format!("`{}` has no node `{node}` that can be called", self.plan.program)),
        }
    }

    fn stop(&self, now: bool) {
        // A second signal skips the grace period. A run that has ended needs neither.
        for _ in 0..if now { 2 } else { 1 } {
            let _ = self.signals.send(Signal::Terminate);
        }
    }
}

/// Answers on `listener` until the run's output has ended and every client has it, or had time enough.
pub async fn serve(listener: UnixListener, control: Control) {
    let control = Arc::new(control);
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = control.recent.ended() => break,
            Some(_) = clients.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if clients.len() < CLIENTS_MAX && is_own_user(&stream) => {
                    control.scheduler.spawn_in(&mut clients, answer(stream, control.clone()));
                }
                Ok(_) => {}
                Err(_) => control.scheduler.sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    let _ = control.scheduler.timeout(DRAIN_TIME, async { while clients.join_next().await.is_some() {} }).await;
}

/// Answers the requests of one client, until it goes away or the run ends. However that comes about, nobody is told.
async fn answer(stream: UnixStream, control: Arc<Control>) {
    let (reader, writer) = stream.into_split();
    let mut client = Connection { reader: BufReader::new(reader), writer, scheduler: control.scheduler.clone() };
    loop {
        let request = tokio::select! {
            biased;
            request = client.request() => request,
            () = control.recent.ended() => return,
        };
        let Ok(Some(request)) = request else { return };
        let answered = match request {
            Ok(Request::Status {}) => match control.status().await {
                Some(status) => client.send(&[Reply::Status(status)]).await,
                None => return,
            },
            Ok(Request::Stop { now }) => {
                control.stop(now);
                client.send(&[Reply::Stopping]).await
            }
            Ok(Request::Credential { node }) => client.send(&[control.credential(&node)]).await,
            Ok(Request::Logs { node, follow }) => client.logs(&control, node.as_deref(), follow).await,
            Ok(Request::Attach {}) => client.attach(&control).await,
            Err(error) => client.send(&[error_reply(format!("not a request: {error}"))]).await,
        };
        if answered.is_err() {
            return;
        }
    }
}

struct Connection {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    scheduler: Scheduler,
}

impl Connection {
    /// The next request, or what is wrong with it; `None` when the client has gone away.
    async fn request(&mut self) -> io::Result<Option<Result<Request, serde_json::Error>>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(REQUEST_BYTES_MAX);
        let read = self.scheduler.timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await??;
        Ok((read > 0).then(|| serde_json::from_slice(&line)))
    }

    async fn send(&mut self, replies: &[Reply]) -> io::Result<()> {
        let mut text = Vec::new();
        for reply in replies {
            serde_json::to_writer(&mut text, reply)?;
            text.push(b'\n');
        }
        self.scheduler.timeout(PATIENCE, self.writer.write_all(&text)).await?
    }

    async fn logs(&mut self, control: &Control, node: Option<&str>, follow: bool) -> io::Result<()> {
        if let Some(node) = node
            && let Err(message) = find_node(&control.plan, node)
        {
            return self.send(&[error_reply(message)]).await;
        }
        let wanted = |line: &LogLine| node.is_none_or(|node| is_of(&line.replica, node));
        self.lines(control.recent.reader(), wanted, follow).await?;
        self.send(&[Reply::End]).await
    }

    async fn attach(&mut self, control: &Control) -> io::Result<()> {
        self.lines(control.recent.reader_from_start(), |_| true, true).await?;
        let end = control.recent.run_end().map(|end| Reply::Ended(Box::new(RunEnd::clone(&end))));
        self.send(end.as_slice()).await
    }

    /// Sends the lines that are wanted: those that are there, and those that come, if the client follows.
    async fn lines(
        &mut self,
        mut reader: LineReader,
        wanted: impl Fn(&LogLine) -> bool,
        follow: bool,
    ) -> io::Result<()> {
        loop {
            let batch = reader.read(&wanted);
            let skipped = (batch.skipped > 0).then_some(Reply::Skipped { lines: batch.skipped });
            let lines = batch.lines.iter().map(|line| Reply::Line(LogLine::clone(line)));
            let replies: Vec<_> = skipped.into_iter().chain(lines).collect();
            self.send(&replies).await?;
            if !batch.is_last {
                continue;
            }
            let more = tokio::select! {
                biased;
                more = reader.more(), if follow => more,
                // A client that follows has nothing more to say: this is how it goes away.
                gone = self.reader.fill_buf(), if follow => return gone.and(Err(io::ErrorKind::ConnectionAborted.into())),
                else => false,
            };
            if !more {
                return Ok(());
            }
        }
    }
}

/// Whether the replica called `label` is `node` or one of its replicas.
fn is_of(label: &str, node: &str) -> bool {
    label.strip_prefix(node).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Says which nodes there are if `node` is neither one of them nor one of their replicas.
fn find_node(plan: &Plan, node: &str) -> Result<(), String> {
    let mut replicas = plan.workers.iter().flat_map(|worker| &worker.replicas);
    if replicas.any(|&replica| is_of(&plan.label(replica), node)) {
        return Ok(());
    }
    let known = plan.nodes.iter().map(|node| match node.replicas {
        1 => format!("`{}`", node.name),
        replicas => format!("`{}` (0 to {})", node.name, replicas - 1),
    });
    Err(format!(
        "no node or replica of `{}` is called `{node}`; there are {}",
        plan.program,
        known.collect::<Vec<_>>().join(", ")
    ))
}

fn error_reply(message: String) -> Reply {
    Reply::Error { message }
}
