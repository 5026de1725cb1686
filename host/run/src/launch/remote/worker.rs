//! A worker on a host, from its start to its end.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lp_base::plan::NodeId;
use lp_base::replica::Stop;
use lp_remote::body;
use lp_remote::protocol::{END_FIELD, WorkerPlace};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::oneshot;

use super::Shared;
use super::host::{prepare, with_sources};
use crate::launch::fleet::{Life, Place, Started};

/// How much of what passes to and from a worker waits in the launcher.
const BUFFER_BYTES: usize = 64 << 10;

/// How long a worker that was killed may take to end, before it counts as ended by the end of its lease.
const KILL_TIME: Duration = Duration::from_secs(5);

/// A worker on a host.
struct RemoteWorker(Arc<Progress>);

/// How far it has come.
#[derive(Default)]
struct Progress {
    place: Mutex<Option<Place>>,
    ended: Mutex<Option<String>>,
    kill: Stop,
}

/// Starts worker number `index` on the host on which it is placed.
pub(super) fn start(shared: Arc<Shared>, index: usize) -> Started {
    let (commands, commands_rx) = tokio::io::duplex(BUFFER_BYTES);
    let (reports_tx, reports) = tokio::io::duplex(BUFFER_BYTES);
    let (located, located_rx) = oneshot::channel();
    let progress = Arc::new(Progress::default());
    let (own, scheduler) = (progress.clone(), shared.scheduler.clone());
    let lives = async move {
        let how = live(&shared, index, &own, commands_rx, reports_tx, located).await;
        let how = how.unwrap_or_else(|reason| reason);
        *own.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
    };
    scheduler.spawn(lives).detach();
    Started {
        commands: Box::new(commands),
        reports: Box::new(reports),
        life: Box::new(RemoteWorker(progress)),
        located: Some(Box::pin(async { located_rx.await.ok() })),
    }
}

/// All of a worker's life; returns how it ended.
async fn live(
    shared: &Shared,
    index: usize,
    progress: &Progress,
    mut commands: DuplexStream,
    mut reports: DuplexStream,
    located: oneshot::Sender<String>,
) -> Result<String, String> {
    let (placed, fence) = {
        let state = shared.state();
        // It stays there: this life may be ended before the fence is past, and the next one waits for the rest.
        (state.placed[index], state.fences.get(&index).copied())
    };
    let link = &shared.hosts[placed];
    let name = &link.host.name;
    let of_host = |reason: String| format!("it can't run on host `{name}`: {reason}");
    tokio::select! {
        biased;
        // One that was to start and is not wanted any more never does: the next life of it may have begun.
        () = progress.kill.requested() => return Ok("its worker process was ended".to_owned()),
        ready = get_ready(shared, index, placed, fence) => ready.map_err(of_host)?,
    }
    let connected = link.connected().map_err(of_host)?;
    let lost = async {
        let reason = connected.end.came().await;
        format!("its host `{name}` is lost: {reason}")
    };
    let lives = async {
        let started = connected.agent.start(index).await.map_err(|error| of_host(with_sources(&error)))?;
        let (place, sender, mut body) = started;
        let address = address(&place.address, link.host.advertise.as_deref());
        note_place(shared, index, name, (&place, &address), progress);
        // The fleet may have ended meanwhile.
        let _ = located.send(address);
        let feeding = async {
            // One that takes no more commands has ended.
            let _ = sender.all(&mut commands).await;
            // The end of its commands tells a worker to end, which its reports tell in turn.
            drop(sender);
            pending::<Infallible>().await
        };
        let listening = async {
            let copied = body::copy(&mut body, &mut reports).await;
            if copied.is_err() {
                // Most often its host is lost, which says why within its lease.
                shared.scheduler.sleep(shared.lease).await;
            }
            let _ = reports.shutdown().await;
            copied
        };
        let killing = async {
            progress.kill.requested().await;
            // One that can't be asked any more is lost.
            let _ = connected.agent.ask(&format!("/kill/{index}"), &()).await;
            shared.scheduler.sleep(KILL_TIME).await;
        };
        tokio::select! {
            biased;
            // Its end is that of its reports: nothing would tell of it by its commands before the next one of them.
            copied = listening => Ok(end_of(copied)),
            never = feeding => match never {},
            () = killing => Ok("its worker process was ended".to_owned()),
        }
    };
    tokio::select! {
        biased;
        ended = lives => ended,
        lost = lost => Err(lost),
    }
}

/// Waits until nothing of a worker is left where it was before, and its host can start it.
async fn get_ready(shared: &Shared, index: usize, placed: usize, fence: Option<Instant>) -> Result<(), String> {
    if let Some(fence) = fence {
        shared.scheduler.sleep_until(fence).await;
    }
    shared.hosts[placed].come_again(&shared.scheduler).await;
    prepare(shared, placed, &shared.start_of(vec![index])).await
}

/// The address at which others reach a worker: that of the file of hosts counts more than what its agent says.
fn address(told: &str, advertised: Option<&str>) -> String {
    let port = told.rsplit_once(':').map_or("", |(_, port)| port);
    advertised.map_or_else(|| told.to_owned(), |host| format!("{host}:{port}"))
}

fn note_place(shared: &Shared, index: usize, host: &str, (place, address): (&WorkerPlace, &str), progress: &Progress) {
    let at = Place { process: place.process, host: Some(host.to_owned()), address: Some(address.to_owned()) };
    *progress.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    shared.places[index].send_replace(Some(address.to_owned()));
    let mut state = shared.state();
    for (&node, address) in &place.listening {
        state.listening.insert((NodeId(node), host.to_owned()), address.clone());
    }
}

/// How a worker has ended, by the trailers of what it reported.
fn end_of(copied: io::Result<http::HeaderMap>) -> String {
    match copied {
        Ok(trailers) => match trailers.get(END_FIELD).and_then(|how| how.to_str().ok()) {
            Some(how) => how.to_owned(),
            None => "its worker process is gone".to_owned(),
        },
        Err(error) => format!("the connection to its worker process was lost: {error}"),
    }
}

impl Life for RemoteWorker {
    fn place(&self) -> Option<Place> {
        self.0.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn kill(&mut self) {
        self.0.kill.request();
    }

    fn ended(&mut self) -> Option<String> {
        self.0.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for RemoteWorker {
    fn drop(&mut self) {
        self.0.kill.request();
    }
}
