//! A replica of a replay node: tables that the host keeps, for guests and for the clients of Reverb.

mod loading;
mod log;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use loading::Loaded;
use log::WaitLog;
use lp_base::plan::{NodePlan, Plan, ReplayPlan};
use lp_base::replica::{Ended, Failure, LineSource, ReplicaSpec};
use lp_base::words::{AtLimit, ReplayAccess};
use lp_courier::{Call, CallError, Mailbox, Message};
use lp_replay::checkpoint::Checkpointer;
use lp_replay::grpc::Server;
use lp_replay::guest::{Guests, Method, Refusal};
use lp_replay::service::{MemoryLimit, Service, Wait, Wanted};
use lp_replay::table::Gauge;
use tokio::task::JoinSet;

use super::Change;

/// A replay node, as a worker has prepared it.
pub struct Replay {
    plan: ReplayPlan,
    /// The functions of the node by their places, with the access that a call needs.
    methods: Vec<Option<(Method, ReplayAccess)>>,
    /// What each caller may do, by the numbers of its replicas.
    callers: Vec<(Range<u32>, BTreeSet<ReplayAccess>)>,
    listener: Option<TcpListener>,
    message_bytes_max: usize,
    /// The tables of the replicas that run here.
    running: Mutex<BTreeMap<u32, Service>>,
}

impl Replay {
    /// Prepares the node for its replicas, of which the only one serves the clients of Reverb at `listener`.
    pub fn new(plan: &Plan, node: &NodePlan, replay: &ReplayPlan, listener: Option<TcpListener>) -> Self {
        let methods = node.couriers.iter().flat_map(|courier| {
            let access = ReplayAccess::of_interface(&courier.interface);
            courier.methods.iter().map(move |method| Some((Method::named(&method.name)?, access?)))
        });
        let numbers = plan.replica_numbers();
        let callers = replay.access.iter().map(|(id, access)| (numbers[id.0 as usize].clone(), access.clone()));
        Self {
            plan: replay.clone(),
            methods: methods.collect(),
            callers: callers.collect(),
            listener,
            message_bytes_max: usize::try_from(plan.message_bytes_max).unwrap_or(usize::MAX),
            running: Mutex::default(),
        }
    }

    /// Why calls of a replica wait, and for how long, a line for each table and kind of call.
    pub fn waits(&self, index: u32) -> Vec<String> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.get(&index).map_or_else(Vec::new, |service| service.waits().iter().map(shown).collect())
    }

    /// The folder that a replica writes to.
    fn dir(&self, spec: &ReplicaSpec) -> Option<PathBuf> {
        let checkpoint = self.plan.replay.checkpoint.as_ref()?;
        Some(own_dir(&checkpoint.dir, spec.node.replicas, spec.index))
    }

    /// What a call wants, if its caller may have it. Whoever runs the program may have all.
    fn method(&self, call: &Call) -> Result<Method, CallError> {
        let (method, access) = self.methods.get(call.method).copied().flatten().ok_or(CallError::Unavailable)?;
        let Some(caller) = call.caller() else { return Ok(method) };
        let granted = self.callers.iter().find(|(replicas, _)| replicas.contains(&caller.0));
        match granted.is_some_and(|(_, granted)| granted.contains(&access)) {
            true => Ok(method),
            false => Err(CallError::Denied),
        }
    }
}

/// Has the host say something of a replica.
fn say(spec: &ReplicaSpec, line: &str) {
    spec.sink.line(LineSource::Host, format!("`{}`: {line}", spec.label).as_bytes());
}

/// The folder of one replica of several, or the whole one of the only one.
fn own_dir(dir: &std::path::Path, replicas: u32, index: u32) -> PathBuf {
    if replicas == 1 { dir.to_owned() } else { dir.join(format!("replica-{index}")) }
}

/// A wait in a line for people.
fn shown(wait: &Wait) -> String {
    let what = match wait.wanted {
        Wanted::Insert => "insert into",
        Wanted::Sample => "sample of",
    };
    let more = if wait.count > 1 { format!(" and {} more", wait.count - 1) } else { String::new() };
    let seconds = wait.time.as_secs_f64();
    format!("an {what} `{}`{more} for {seconds:.1} s: {}", wait.table, wait.reason).replacen("an sample", "a sample", 1)
}

/// One life of a replica: until its mailbox is closed.
pub(super) async fn live(
    replay: &Replay,
    spec: &Arc<ReplicaSpec>,
    mailbox: &Mailbox,
    report: impl Fn(Change) + Send + Sync,
) -> Ended {
    let (gauge, say) = (Gauge::default(), |line: &str| say(spec, line));
    let (settings, dir, own) = (replay.plan.replay.clone(), replay.dir(spec), gauge.clone());
    let loaded = spec.scheduler.blocking(move || loading::load(&settings, dir.as_deref(), &own)).await;
    let begun = loaded.and_then(|loaded| begin(replay, spec, loaded, gauge));
    let (running, notes) = match begun {
        Ok(begun) => begun,
        Err(summary) => {
            let failure = Failure { summary: format!("failed to start: {summary}"), stack: None };
            return Ended { failure: Some(failure), exited: false, memory_peak: 0 };
        }
    };
    notes.iter().for_each(|note| say(note));
    let index = spec.index;
    let known = |service: Option<Service>| {
        let mut running = replay.running.lock().unwrap_or_else(PoisonError::into_inner);
        match service {
            Some(service) => running.insert(index, service),
            None => running.remove(&index),
        };
    };
    known(Some(running.service.clone()));
    mailbox.open();
    report(Change::Started);
    let memory_peak = running.serve(replay, spec, mailbox).await;
    known(None);
    if let (Some(checkpointer), Some(_)) = (&running.checkpointer, running.every) {
        match checkpointer.write().await {
            Ok(path) => say(&format!("wrote {} at its end", path.display())),
            Err(error) => say(&format!("wrote no checkpoint at its end: {error}")),
        }
    }
    Ended { failure: None, exited: false, memory_peak }
}

/// What runs in one life of a replica.
struct Running {
    service: Service,
    guests: Guests,
    checkpointer: Option<Checkpointer>,
    every: Option<Duration>,
    /// Serves the clients of Reverb. They are dropped with it.
    _clients: JoinSet<std::io::Result<()>>,
}

/// Puts a replica together from its tables, with what there is to say of them.
fn begin(replay: &Replay, spec: &ReplicaSpec, loaded: Loaded, gauge: Gauge) -> Result<(Running, Vec<String>), String> {
    let Loaded { tables, notes } = loaded;
    let settings = &replay.plan.replay;
    let limit = MemoryLimit {
        bytes: usize::try_from(spec.node.limits.memory_bytes).unwrap_or(usize::MAX),
        evicts: settings.at_limit == AtLimit::Evict,
    };
    let service = Service::limited(tables, gauge, Some(limit), spec.scheduler.clone()).map_err(|e| e.to_string())?;
    let keep = settings.checkpoint.as_ref().and_then(|checkpoint| NonZeroUsize::new(checkpoint.keep as usize));
    let checkpointer =
        replay.dir(spec).map(|dir| Checkpointer::new(service.clone(), dir, keep.unwrap_or(NonZeroUsize::MIN)));
    let mut clients = JoinSet::new();
    if let Some(listener) = &replay.listener {
        let listener = listener.try_clone().and_then(|listener| {
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        });
        let listener = listener.map_err(|error| format!("it can't listen: {error}"))?;
        let server = Server { service: service.clone(), checkpointer: checkpointer.clone() };
        spec.scheduler.spawn_in(&mut clients, server.serve(listener));
    }
    let guests = Guests::new(service.clone(), checkpointer.clone(), replay.message_bytes_max);
    let every = settings.checkpoint.as_ref().and_then(|checkpoint| checkpoint.every_ms).map(Duration::from_millis);
    Ok((Running { service, guests, checkpointer, every, _clients: clients }, notes))
}

impl Running {
    /// Answers calls until the mailbox is closed. Returns the most memory that chunks had.
    async fn serve(&self, replay: &Replay, spec: &ReplicaSpec, mailbox: &Mailbox) -> u64 {
        let mut log = WaitLog::default();
        let mut beside = pin!(async {
            tokio::select! {
                biased;
                () = self.service.keep_room() => {}
                () = self.stop(spec) => {}
                () = self.write_checkpoints(spec) => {}
                () = log.keep(&self.service, spec) => {}
            }
        });
        let mut calls = FuturesUnordered::new();
        let (mut closed, mut memory_peak) = (false, 0);
        let mut under_way = UnderWay::new(spec.node.limits.calls_concurrent as usize);
        std::future::poll_fn(|cx| {
            mailbox.pump().look();
            let _ = beside.as_mut().poll(cx);
            let mut listening = false;
            loop {
                while !closed && !listening {
                    match mailbox.poll_next(cx) {
                        Poll::Ready(Some(call)) => match replay.method(&call).and_then(|it| under_way.add(it)) {
                            Ok(method) => calls.push(self.answer(mailbox, call, method)),
                            Err(error) => mailbox.answer(call.split().3, Err(error)),
                        },
                        Poll::Ready(None) => {
                            closed = true;
                            // Nothing that waits would be let in any more.
                            self.service.close();
                        }
                        Poll::Pending => listening = true,
                    }
                }
                let polled = calls.poll_next_unpin(cx);
                let memory = self.service.gauge().bytes() as u64;
                spec.memory_bytes.store(memory, Ordering::Relaxed);
                memory_peak = memory_peak.max(memory);
                match polled {
                    Poll::Ready(Some(method)) => under_way.remove(method),
                    Poll::Ready(None) if closed => return Poll::Ready(memory_peak),
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Works on a call, and returns its method.
    async fn answer(&self, mailbox: &Mailbox, call: Call, method: Method) -> Method {
        let caller = call.caller().map(|caller| caller.0);
        let (_, request, _, answering) = call.split();
        let result = self.guests.call(caller, method, request.to_vec()).await;
        mailbox.answer(answering, result.map(|response| Message::from(&response[..])).map_err(call_error));
        method
    }

    /// Has nobody wait any more once the replica was asked to stop: what they wait for may never come.
    async fn stop(&self, spec: &ReplicaSpec) {
        spec.stopping().await;
        self.service.close();
        std::future::pending().await
    }

    async fn write_checkpoints(&self, spec: &ReplicaSpec) {
        let (Some(checkpointer), Some(every)) = (&self.checkpointer, self.every) else {
            return std::future::pending().await;
        };
        loop {
            spec.scheduler.sleep(every).await;
            if let Err(error) = checkpointer.write().await {
                say(spec, &format!("wrote no checkpoint: {error}"));
            }
        }
    }
}

/// How a call failed, as its caller is told.
fn call_error(refusal: Refusal) -> CallError {
    match refusal {
        Refusal::TimedOut => CallError::DeadlineExceeded,
        Refusal::Closed => CallError::Cancelled,
        Refusal::TooLarge => CallError::TooLarge,
        Refusal::Failed(reason) => CallError::Failed(reason),
    }
}

/// The calls that may wait for others: inserts for samples and samples for inserts, so that neither may take all the room.
struct UnderWay {
    most: usize,
    writes: usize,
    samples: usize,
}

impl UnderWay {
    fn new(most: usize) -> Self {
        Self { most, writes: 0, samples: 0 }
    }

    fn count(&mut self, method: Method) -> Option<&mut usize> {
        match method {
            Method::Write => Some(&mut self.writes),
            Method::Sample | Method::SampleBatch => Some(&mut self.samples),
            _ => None,
        }
    }

    fn add(&mut self, method: Method) -> Result<Method, CallError> {
        let most = self.most;
        if let Some(count) = self.count(method) {
            if *count >= most {
                return Err(CallError::Overloaded);
            }
            *count += 1;
        }
        Ok(method)
    }

    fn remove(&mut self, method: Method) {
        if let Some(count) = self.count(method) {
            *count -= 1;
        }
    }
}
