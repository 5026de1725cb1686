//! The one connection from this process to a worker, made when it is needed and made again when it was lost.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;

use super::server::{FRAME_BYTES, WINDOW_BYTES};
use crate::courier::CallError;
use crate::program::WhenFull;

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
    current: Mutex<Option<SendRequest<Body>>>,
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
    pub(super) async fn sender(&self) -> SendRequest<Body> {
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

    fn open(&self) -> Option<SendRequest<Body>> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|sender| !sender.is_closed()).cloned()
    }

    async fn connect(&self) -> io::Result<SendRequest<Body>> {
        match &self.address {
            Address::Unix(socket) => handshake(UnixStream::connect(socket).await?).await,
            Address::Tcp(address) => handshake(TcpStream::connect(address).await?).await,
        }
    }
}

async fn handshake<S>(stream: S) -> io::Result<SendRequest<Body>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let handshake = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_send_buf_size(WINDOW_BYTES as usize)
        .handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        // How it ended is seen by the calls that were under way.
        let _ = connection.await;
    });
    Ok(sender)
}
