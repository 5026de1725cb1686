//! The one connection from this process to a worker, made when it is needed and made again when it was lost.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use lp_base::words::WhenFull;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::stream::{FRAME_BYTES, WINDOW_BYTES};
use crate::CallError;

/// The wait before the second attempt to connect; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(5);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// How a process talks to the workers of its program.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionOptions {
    /// The most calls that may be under way to one worker at the same time; more wait, or are refused.
    pub in_flight_max: u32,
    /// The largest request or response in bytes.
    pub message_bytes_max: usize,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket, as workers have it.
    Unix(PathBuf),
    /// A host and a port, as a node has it that listens.
    Tcp(String),
}

/// A way to one worker.
#[derive(Debug)]
pub struct Connection {
    address: Address,
    options: ConnectionOptions,
    current: Mutex<Option<Sender>>,
    /// Held by the one who connects.
    connecting: tokio::sync::Mutex<()>,
    in_flight: Arc<Semaphore>,
}

impl Connection {
    /// A way to what listens at `address`. Nothing is connected yet.
    pub fn new(address: Address, options: ConnectionOptions) -> Arc<Self> {
        Arc::new(Self {
            address,
            options,
            current: Mutex::new(None),
            connecting: tokio::sync::Mutex::new(()),
            in_flight: Arc::new(Semaphore::new(options.in_flight_max as usize)),
        })
    }

    /// The limits of the connection.
    pub fn options(&self) -> ConnectionOptions {
        self.options
    }

    /// Room for one more call.
    pub(super) async fn room(&self, when_full: WhenFull) -> Result<OwnedSemaphorePermit, CallError> {
        let room = match when_full {
            WhenFull::Fail => self.in_flight.clone().try_acquire_owned().ok(),
            WhenFull::Wait => self.in_flight.clone().acquire_owned().await.ok(),
        };
        room.ok_or(CallError::Overloaded)
    }

    /// The sender of an open connection. Connecting is tried until it works; the caller knows when to give up.
    pub(super) async fn sender(&self) -> Sender {
        if let Some(sender) = self.open() {
            return sender;
        }
        let _connecting = self.connecting.lock().await;
        let mut backoff = BACKOFF_MIN;
        loop {
            if let Some(sender) = self.open() {
                return sender;
            }
            match self.connect().await {
                Ok(sender) => {
                    *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
                    return sender;
                }
                Err(_) => {
                    // Many callers lose a worker at the same moment and should not come back at the same moment.
                    tokio::time::sleep(backoff.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    fn open(&self) -> Option<Sender> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|sender| !sender.closed.load(Ordering::Relaxed)).cloned()
    }

    async fn connect(&self) -> io::Result<Sender> {
        match &self.address {
            Address::Unix(socket) => self.handshake(UnixStream::connect(socket).await?).await,
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                // Without it, calls are only slower.
                let _ = stream.set_nodelay(true);
                self.handshake(stream).await
            }
        }
    }

    async fn handshake<S>(&self, stream: S) -> io::Result<Sender>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut builder = Builder::new();
        builder
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES)
            .max_send_buffer_size(WINDOW_BYTES as usize)
            .initial_max_send_streams(self.options.in_flight_max as usize)
            .enable_push(false);
        let (sender, connection) = builder.handshake(stream).await.map_err(io::Error::other)?;
        let closed = Arc::new(AtomicBool::new(false));
        let ends = closed.clone();
        tokio::spawn(async move {
            // How it ended is seen by the calls that were under way.
            let _ = connection.await;
            ends.store(true, Ordering::Relaxed);
        });
        Ok(Sender { sender, closed })
    }
}

/// One use of a connection.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    sender: SendRequest<Bytes>,
    closed: Arc<AtomicBool>,
}

impl Sender {
    /// Hands a request to the connection; the answer is awaited by its future, and dropping that cancels the request.
    /// `None` if the connection is gone and the request can't have started.
    pub async fn send(self, head: http::Request<()>, frame: Bytes) -> Option<h2::client::ResponseFuture> {
        let Self { sender, closed } = self;
        let sent = async {
            let mut sender = sender.ready().await?;
            let (answer, mut body) = sender.send_request(head, false)?;
            // What the windows don't let through now waits in the connection, which the caller would do as well.
            let _ = body.send_data(frame, true);
            Ok::<_, h2::Error>(answer)
        };
        let sent = sent.await.ok();
        if sent.is_none() {
            closed.store(true, Ordering::Relaxed);
        }
        sent
    }
}
