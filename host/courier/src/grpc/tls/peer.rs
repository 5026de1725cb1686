//! Another worker as this one connects to it: who it is for good, and where it is for now.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use std::{fmt, io};

use lp_base::scheduler::Scheduler;
use lp_trust::{ALPN, server_name};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::link::{self, LOST_TIME};

/// A worker on another host. A clone is the same one.
#[derive(Clone)]
pub struct TlsPeer {
    connector: TlsConnector,
    place: watch::Receiver<Option<String>>,
    failing: Arc<Mutex<Option<Failing>>>,
}

/// Attempts to connect, none of which came to anything.
#[derive(Debug)]
struct Failing {
    place: String,
    why: String,
    since: Instant,
    until: Instant,
}

/// A worker that can't be reached though it has a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Its host and port.
    pub place: String,
    /// Why the last attempt failed.
    pub why: String,
}

impl TlsPeer {
    /// The worker that `config` believes to be the right one, at `place`: a host and a port. While that is `None` the worker
    /// is nowhere, and who calls it waits.
    pub fn new(config: ClientConfig, place: watch::Receiver<Option<String>>) -> Self {
        Self { connector: TlsConnector::from(Arc::new(config)), place, failing: Arc::default() }
    }

    /// The same for a worker that stays where it is.
    pub fn at(config: ClientConfig, place: String) -> Self {
        Self::new(config, watch::channel(Some(place)).1)
    }

    /// What is the matter, if it could not be reached for as long as it takes to call a connection lost.
    pub fn trouble(&self) -> Option<Trouble> {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Failing { place, why, since, until } = failing.as_ref()?;
        let is_long = until.saturating_duration_since(*since) >= LOST_TIME;
        is_long.then(|| Trouble { place: place.clone(), why: why.clone() })
    }

    /// When it moves from where it is now.
    pub(in crate::grpc) fn moved(&self) -> Moved {
        let mut place = self.place.clone();
        place.mark_unchanged();
        Moved(Some(place))
    }

    /// Connects to where it is, or waits until it is somewhere. `moved` is then when it moves from there.
    pub(in crate::grpc) async fn connect(
        &self,
        moved: &mut Moved,
        scheduler: &Scheduler,
    ) -> io::Result<TlsStream<TcpStream>> {
        let place = match &mut moved.0 {
            Some(place) => place.wait_for(Option::is_some).await.map(|place| place.clone()).unwrap_or_default(),
            None => self.place.borrow().clone(),
        };
        let place = place.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the worker is gone for good"))?;
        let mut attempt = Attempt::new(self, place, scheduler);
        let opened = tokio::select! {
            biased;
            () = moved.happened() => {
                attempt.why = "it has moved".to_owned();
                return Err(io::Error::other("the worker has moved"));
            }
            opened = scheduler.timeout(LOST_TIME, self.open(&attempt.place, scheduler)) => opened,
        };
        let opened = opened.map_err(|_| link::no_answer()).flatten();
        match &opened {
            Ok(_) => attempt.works = true,
            Err(error) => attempt.why = error.to_string(),
        }
        opened
    }

    async fn open(&self, place: &str, scheduler: &Scheduler) -> io::Result<TlsStream<TcpStream>> {
        let stream = link::connect(place, scheduler).await?;
        let stream = self.connector.connect(server_name(), stream).await?;
        match stream.get_ref().1.alpn_protocol() {
            Some(ALPN) => Ok(stream),
            _ => Err(io::Error::other("it speaks another protocol than workers do")),
        }
    }
}

impl fmt::Debug for TlsPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsPeer({:?})", *self.place.borrow())
    }
}

/// The moment when a peer moves. One that is never found elsewhere has none.
#[derive(Clone, Debug, Default)]
pub struct Moved(Option<watch::Receiver<Option<String>>>);

impl Moved {
    /// Ready when it has happened.
    pub(in crate::grpc) async fn happened(&mut self) {
        if let Some(place) = &mut self.0
            && place.changed().await.is_ok()
        {
            return;
        }
        // Nobody is there who could move it.
        std::future::pending().await
    }

    /// Whether it has happened.
    pub(in crate::grpc) fn has_happened(&self) -> bool {
        self.0.as_ref().is_some_and(|place| place.has_changed().unwrap_or(false))
    }
}

/// One attempt to connect. It counts as failed unless it came to something: callers have deadlines, and may give up before
/// a host that is cut off does.
struct Attempt<'a> {
    peer: &'a TlsPeer,
    place: String,
    since: Instant,
    works: bool,
    why: String,
    scheduler: &'a Scheduler,
}

impl<'a> Attempt<'a> {
    fn new(peer: &'a TlsPeer, place: String, scheduler: &'a Scheduler) -> Self {
        Self { peer, place, since: scheduler.now(), works: false, why: "no answer".to_owned(), scheduler }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut failing = self.peer.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match &*failing {
            Some(failing) if failing.place == self.place => failing.since,
            _ => self.since,
        };
        let (place, why) = (std::mem::take(&mut self.place), std::mem::take(&mut self.why));
        *failing = (!self.works).then(|| Failing { place, why, since, until: self.scheduler.now() });
    }
}
