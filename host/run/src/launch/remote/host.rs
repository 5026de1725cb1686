//! A host and the connection to its agent: made, kept, lost, and made again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lp_base::plan::ComponentFiles;
use lp_base::replica::Stop;
use lp_base::scheduler::Scheduler;
use lp_base::words::Digest;
use lp_remote::client::{Agent, AgentError, KeptLease};
use lp_remote::hosts::Host;
use lp_remote::protocol::{LeaseRequest, Preparation, Prepared};
use tokio::sync::{Notify, oneshot};

use super::Shared;
use crate::worker::Compiling;

/// The time before a host that is not there is tried again, and the longest that it grows to.
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// A host, and what there is of a connection to its agent.
pub(super) struct HostLink {
    pub host: Host,
    link: Mutex<Link>,
    /// Components are sent and compiled once, by whoever needs them first.
    preparing: tokio::sync::Mutex<()>,
    /// Whenever there is a connection again.
    back: Notify,
}

/// What there is of a connection.
enum Link {
    There(Connected),
    Absent {
        why: String,
        /// When everything that ran there has ended, at the latest.
        by: Option<Instant>,
    },
}

/// A connection that is there.
#[derive(Clone)]
pub(super) struct Connected {
    pub agent: Arc<Agent>,
    pub end: End,
}

/// The end of a connection, for those who use it.
#[derive(Clone, Default)]
pub(super) struct End {
    stop: Stop,
    reason: Arc<Mutex<String>>,
}

impl End {
    /// Waits for it, and tells why it came.
    pub async fn came(&self) -> String {
        self.stop.requested().await;
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn bring(&self, reason: &str) {
        reason.clone_into(&mut self.reason.lock().unwrap_or_else(PoisonError::into_inner));
        self.stop.request();
    }
}

impl HostLink {
    pub fn new(host: Host) -> Self {
        let link = Mutex::new(Link::Absent { why: "it was not reached yet".to_owned(), by: None });
        Self { host, link, preparing: tokio::sync::Mutex::default(), back: Notify::new() }
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nothing can be started there at the moment, if nothing can.
    pub fn absence(&self) -> Option<String> {
        match &*self.link() {
            Link::There(_) => None,
            Link::Absent { why, .. } => Some(why.clone()),
        }
    }

    /// When everything that ran there before has ended, at the latest, if the host is lost.
    pub fn ended_by(&self) -> Option<Instant> {
        match &*self.link() {
            Link::There(_) => None,
            Link::Absent { by, .. } => *by,
        }
    }

    /// Waits until there is no connection.
    pub async fn ended(&self) {
        let end = match &*self.link() {
            Link::There(connected) => connected.end.clone(),
            Link::Absent { .. } => return,
        };
        end.came().await;
    }

    /// Waits until there is a connection, if the host comes again by itself, for as long as it may take.
    pub async fn come_again(&self, scheduler: &Scheduler) {
        let Some(wait) = self.host.reach.comes_again() else { return };
        let back = async {
            loop {
                let back = self.back.notified();
                if self.absence().is_none() {
                    return;
                }
                back.await;
            }
        };
        // Why it has not come, its absence says.
        let _ = scheduler.timeout(wait, back).await;
    }

    /// The connection, or why there is none.
    pub fn connected(&self) -> Result<Connected, String> {
        match &*self.link() {
            Link::There(connected) => Ok(connected.clone()),
            Link::Absent { why, .. } => Err(why.clone()),
        }
    }
}

/// Connects to a host and again whenever it was lost, as long as this is polled. The first attempt's outcome is told.
pub(super) async fn keep(shared: Arc<Shared>, index: usize, first: oneshot::Sender<Result<(), String>>) {
    let (scheduler, link) = (&shared.scheduler, &shared.hosts[index]);
    let (mut first, mut pause) = (Some(first), RETRY_MIN);
    loop {
        let connected = connect(&shared, index).await;
        let outcome = connected.as_ref().map(drop).map_err(with_sources);
        match connected {
            Ok((connected, kept)) => {
                *link.link() = Link::There(connected.clone());
                link.back.notify_waiters();
                first.take().map(|first| first.send(outcome));
                let over = kept.keep(&shared.ending, scheduler).await;
                *link.link() = Link::Absent { why: over.reason.clone(), by: Some(over.by) };
                connected.end.bring(&over.reason);
                // It has nothing more to say, and the lease there ends with the connection.
                drop(connected);
                scheduler.sleep_until(over.by).await;
                pause = RETRY_MIN;
            }
            Err(error) => {
                if let Link::Absent { why, .. } = &mut *link.link() {
                    *why = with_sources(&error);
                }
                first.take().map(|first| first.send(outcome));
            }
        }
        scheduler.sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

async fn connect(shared: &Shared, index: usize) -> Result<(Connected, KeptLease), AgentError> {
    let agent = Agent::connect(&shared.hosts[index].host, &shared.key, &shared.scheduler).await?;
    let placed = shared.state().placed.clone();
    let workers = (0..placed.len()).filter(|&worker| placed[worker] == index).collect();
    let lease_ms = u64::try_from(shared.lease.as_millis()).unwrap_or(u64::MAX);
    let request = LeaseRequest { run: shared.run.clone(), plan: (*shared.plan).clone(), workers, lease_ms };
    let kept = agent.lease(&request).await?;
    Ok((Connected { agent: Arc::new(agent), end: End::default() }, kept))
}

/// What a host is to get ready for.
pub(super) struct Wanted {
    pub preparation: Preparation,
    /// Where this machine has the components.
    pub components: ComponentFiles,
}

/// Sees to it that a host can start workers, or have them run what was rebuilt: sends what it lacks, and has it compiled.
///
/// # Errors
/// Why it can't.
pub(super) async fn prepare(shared: &Shared, index: usize, wanted: &Wanted) -> Result<(), String> {
    let link = &shared.hosts[index];
    let connected = link.connected()?;
    let prepared = async {
        let _one = link.preparing.lock().await;
        let mut sent = BTreeSet::new();
        loop {
            let missing = ask(shared, link, &connected, wanted).await?;
            if missing.is_empty() {
                return Ok(());
            }
            for digest in missing {
                if !sent.insert(digest) {
                    return Err(format!("it does not keep the component {digest} that it was sent"));
                }
                send(shared, link, &connected, (digest, &wanted.components)).await?;
            }
        }
    };
    tokio::select! {
        biased;
        prepared = prepared => prepared,
        reason = connected.end.came() => Err(reason),
    }
}

/// Asks a host to get ready. Gives the components that it lacks.
async fn ask(
    shared: &Shared,
    link: &HostLink,
    connected: &Connected,
    Wanted { preparation, components }: &Wanted,
) -> Result<Vec<Digest>, String> {
    let told = |digest, event: fn(PathBuf, String, u64) -> Compiling, number| {
        // Nobody may listen.
        let _ = shared.compiling.send(event(name_of(components, digest), link.host.name.clone(), number));
    };
    let mut lines = connected.agent.ask("/prepare", preparation).await.map_err(|error| with_sources(&error))?;
    loop {
        match lines.next().await.map_err(|error| error.to_string())? {
            Some(Prepared::Begun { component, bytes_len }) => told(
                component,
                |component, host, bytes_len| Compiling::Begun { component, bytes_len, host: Some(host) },
                bytes_len,
            ),
            Some(Prepared::Ended { component, elapsed_ms }) => told(
                component,
                |component, host, elapsed_ms| {
                    let elapsed = Duration::from_millis(elapsed_ms);
                    Compiling::Ended { component, elapsed, host: Some(host) }
                },
                elapsed_ms,
            ),
            Some(Prepared::Missing { components }) => return Ok(components),
            Some(Prepared::Done) => return Ok(Vec::new()),
            Some(Prepared::Failed { message }) => return Err(message),
            None => return Err("it does not say whether it is ready".to_owned()),
        }
    }
}

async fn send(
    shared: &Shared,
    link: &HostLink,
    connected: &Connected,
    (digest, components): (Digest, &ComponentFiles),
) -> Result<(), String> {
    let file = components.of(digest).map_err(|error| error.to_string())?.to_owned();
    let (component, host) = (name_of(components, digest), link.host.name.clone());
    let read = shared.scheduler.blocking(move || std::fs::read(&file).map_err(|error| (file, error))).await;
    let bytes = read.map_err(|(file, error)| format!("`{}` can't be read: {error}", file.display()))?;
    let (bytes_len, sent) = (bytes.len() as u64, Compiling::Sent { component: component.clone(), host: host.clone() });
    let _ = shared.compiling.send(Compiling::Sending { component, bytes_len, host });
    let put = connected.agent.put(digest, bytes.into()).await;
    let _ = shared.compiling.send(sent);
    put.map_err(|error| with_sources(&error))
}

/// What users call a component.
fn name_of(components: &ComponentFiles, digest: Digest) -> PathBuf {
    components.of(digest).map_or_else(|_| PathBuf::from(digest.to_string()), Path::to_owned)
}

/// An error and what led to it.
pub(super) fn with_sources(error: &AgentError) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
