//! The one connection from this process to a server, made when it is needed and made again when it was lost.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use lp_base::lease::Lease;
use lp_base::scheduler::Scheduler;

use super::batched::Batched;
use super::leased::leased;
use super::socket::Address;
use super::stream::{FRAME_BYTES, WINDOW_BYTES};
use super::tls::Moved;

/// The wait before the second attempt to connect; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(5);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// A way to one server, which is a worker or a node that listens.
#[derive(Debug)]
pub struct Connection {
    address: Address,
    current: Mutex<Option<Sender>>,
    /// Held by the one who connects.
    connecting: tokio::sync::Mutex<()>,
    lease: Option<Lease>,
    scheduler: Scheduler,
}

impl Connection {
    /// A way to what listens at `address`. Nothing is connected yet. Its task and its timers are `scheduler`'s.
    pub fn new(address: Address, scheduler: Scheduler) -> Self {
        let connecting = tokio::sync::Mutex::new(());
        Self { address, current: Mutex::new(None), connecting, lease: None, scheduler }
    }

    /// The same for a process that may make calls only while `lease` holds, if there is one.
    pub fn leased(self, lease: Option<Lease>) -> Self {
        Self { lease, ..self }
    }

    /// The sender of an open connection, for so many calls at the same time. Connecting is tried until it works; the caller
    /// knows when to give up.
    pub(super) async fn sender(&self, in_flight_max: u32) -> Sender {
        if let Some(sender) = self.open() {
            return sender;
        }
        let _connecting = self.connecting.lock().await;
        let mut backoff = BACKOFF_MIN;
        let mut random = self.scheduler.random("connections");
        loop {
            if let Some(sender) = self.open() {
                return sender;
            }
            let mut moved = self.address.moved();
            match self.connect(in_flight_max, &mut moved).await {
                Ok(sender) => {
                    *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
                    return sender;
                }
                Err(_) => {
                    // Many callers lose a worker at the same moment and should not come back at the same moment.
                    let pause = backoff.mul_f64(0.5 + random.f64() / 2.0);
                    tokio::select! {
                        biased;
                        () = moved.happened() => backoff = BACKOFF_MIN,
                        () = self.scheduler.sleep(pause) => backoff = (backoff * 2).min(BACKOFF_MAX),
                    }
                }
            }
        }
    }

    fn open(&self) -> Option<Sender> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|sender| sender.end.is_open()).cloned()
    }

    async fn connect(&self, in_flight_max: u32, moved: &mut Moved) -> io::Result<Sender> {
        let stream = self.address.connect(moved, &self.scheduler).await?;
        let stream = leased(stream, self.lease.as_ref());
        let mut builder = Builder::new();
        builder
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES)
            .max_send_buffer_size(WINDOW_BYTES as usize)
            .initial_max_send_streams(in_flight_max as usize)
            .enable_push(false);
        let (sender, connection) = builder.handshake(stream).await.map_err(io::Error::other)?;
        let end = Arc::new(End { has_come: AtomicBool::new(false), moved: moved.clone() });
        let (ending, mut moved) = (end.clone(), moved.clone());
        let driving = self.scheduler.spawn(async move {
            // How it ended is seen by the calls that were under way. Dropping it loses them.
            tokio::select! {
                biased;
                () = moved.happened() => {}
                _ = Batched::new(connection) => {}
            }
            ending.has_come.store(true, Ordering::Relaxed);
        });
        // It ends with the last sender, or with the other end.
        driving.detach();
        Ok(Sender { sender, end })
    }
}

/// One use of a connection.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    sender: SendRequest<Bytes>,
    end: Arc<End>,
}

/// The end of a connection.
#[derive(Debug)]
struct End {
    has_come: AtomicBool,
    /// What is at the other end is not there any more. The task of the connection may not have seen that.
    moved: Moved,
}

impl End {
    fn is_open(&self) -> bool {
        !self.has_come.load(Ordering::Relaxed) && !self.moved.has_happened()
    }
}

impl Sender {
    /// Hands a request to the connection; the answer is awaited by its future, and dropping that cancels the request.
    /// `None` if the connection is gone and the request can't have started.
    pub async fn send(self, head: http::Request<()>, frame: Bytes) -> Option<h2::client::ResponseFuture> {
        let Self { sender, end } = self;
        let sent = async {
            let mut sender = sender.ready().await?;
            let (answer, mut body) = sender.send_request(head, false)?;
            // What the windows don't let through now waits in the connection, which the caller would do as well.
            let _ = body.send_data(frame, true);
            Ok::<_, h2::Error>(answer)
        };
        let sent = sent.await.ok();
        if sent.is_none() {
            end.has_come.store(true, Ordering::Relaxed);
        }
        sent
    }
}
