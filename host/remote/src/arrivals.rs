//! Hosts that come to their launcher by themselves: processes that the engine of a cluster has started. Each says which one of them
//! it is, and from then on speaks as an agent to which the launcher has connected.
//!
//! Nobody knows beforehand where an engine starts what. So the launcher listens, and all of the others share a key by which it
//! knows them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lp_base::scheduler::Scheduler;
use rustls::pki_types::ServerName;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::handshakes::Handshakes;
use crate::key::{Fingerprint, Key};
use crate::protocol::PROTOCOL;
use crate::{socket, tls};

/// What both ends speak inside of TLS.
const ALPN: &[u8] = b"lp-unit";

/// The longest line by which the ends introduce themselves.
const LINE_BYTES_MAX: usize = 4 << 10;

/// How long accepting connections rests after an error, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long an attempt to connect may take, with its handshake.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// What a host says first.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    host: String,
    protocol: String,
}

/// What the launcher answers.
#[derive(Debug, Serialize, Deserialize)]
struct Welcome {
    refused: Option<String>,
}

/// Where a launcher waits for one host. A clone waits for the same.
#[derive(Clone, Default)]
pub struct Arrival(Arc<Seat>);

#[derive(Default)]
struct Seat {
    stream: Mutex<Option<server::TlsStream<TcpStream>>>,
    came: Notify,
    is_there: watch::Sender<bool>,
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival").finish_non_exhaustive()
    }
}

impl PartialEq for Arrival {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Arrival {}

impl Arrival {
    /// The host has come. One that has come before and that nobody has met is gone.
    fn came(&self, stream: server::TlsStream<TcpStream>) {
        *self.0.stream.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
        self.0.came.notify_one();
    }

    /// Whether the host is there: it has come, and the launcher does not wait for it again.
    pub fn presence(&self) -> watch::Receiver<bool> {
        self.0.is_there.subscribe()
    }

    /// Waits until the host comes.
    pub(crate) async fn next(&self) -> server::TlsStream<TcpStream> {
        loop {
            if let Some(stream) = self.0.stream.lock().unwrap_or_else(PoisonError::into_inner).take() {
                self.0.is_there.send_replace(true);
                return stream;
            }
            self.0.is_there.send_replace(false);
            self.0.came.notified().await;
        }
    }
}

/// Receives the hosts with the key `hosts` at `listener`, for as long as this is polled, each of them at the place of its name. Who
/// is refused is told to `refused`, with where from and why.
///
/// # Errors
/// If the key can't be used.
pub async fn receive(
    listener: TcpListener,
    key: &Key,
    hosts: Fingerprint,
    places: BTreeMap<String, Arrival>,
    scheduler: &Scheduler,
    refused: impl Fn(String) + Send + Sync + 'static,
) -> Result<(), rustls::Error> {
    let config = tls::server_config(key, Arc::new(move |shown| shown == hosts), ALPN)?;
    let shared = Arc::new((TlsAcceptor::from(Arc::new(config)), places, Handshakes::default(), scheduler.clone()));
    let refused = Arc::new(refused);
    let mut handshakes = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while handshakes.try_join_next().is_some() {}
        let Ok((stream, from)) = accepted else {
            scheduler.sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (shared, refused) = (shared.clone(), refused.clone());
        let receiving = async move {
            let (acceptor, places, handshakes, scheduler) = &*shared;
            let reason = match handshakes.finish(introduce(acceptor, stream, places), scheduler).await {
                Some(Ok(())) => return,
                Some(Err(error)) => error.to_string(),
                None => "it did not say who it is".to_owned(),
            };
            refused(format!("{}: {reason}", from.ip()));
        };
        scheduler.spawn_in(&mut handshakes, receiving);
    }
}

/// Has one that came say who it is, and brings it to its place.
async fn introduce(acceptor: &TlsAcceptor, stream: TcpStream, places: &BTreeMap<String, Arrival>) -> io::Result<()> {
    socket::set_up(&stream)?;
    let mut stream = acceptor.accept(stream).await?;
    let Hello { host, protocol } = read(&mut stream).await?;
    let refused = match places.get(&host) {
        _ if protocol != PROTOCOL => Some(format!("it speaks the protocol {protocol}, and the launcher {PROTOCOL}")),
        None => Some(format!("the program has no `{host}`")),
        Some(_) => None,
    };
    write(&mut stream, &Welcome { refused: refused.clone() }).await?;
    match (refused, places.get(&host)) {
        (None, Some(arrival)) => arrival.came(stream),
        (refused, _) => return Err(io::Error::other(refused.unwrap_or_default())),
    }
    Ok(())
}

/// A connection to the launcher that has received this host.
pub type Connection = client::TlsStream<TcpStream>;

/// Why a launcher did not receive this host.
#[derive(Debug, thiserror::Error)]
pub enum ArrivalError {
    /// It can't be reached, or is another one.
    #[error("the launcher at `{address}` can't be reached")]
    NotReached {
        /// Where it should be.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It wants no such host.
    #[error("the launcher refuses `{host}`: {reason}")]
    Refused {
        /// What this host called itself.
        host: String,
        /// Why.
        reason: String,
    },
}

/// Comes to the launcher at `address`, which has the key with that fingerprint, as the host `name`. Requests of the launcher follow
/// on the stream.
///
/// # Errors
/// If the launcher can't be reached, or refuses.
pub async fn come(
    address: &str,
    launcher: Fingerprint,
    key: &Key,
    name: &str,
    scheduler: &Scheduler,
) -> Result<Connection, ArrivalError> {
    let not_reached = |source| ArrivalError::NotReached { address: address.to_owned(), source };
    let coming = async {
        let stream = TcpStream::connect(address).await?;
        socket::set_up(&stream)?;
        let (config, seen) = tls::client_config(key, launcher, ALPN).map_err(io::Error::other)?;
        // The key says who it is.
        let server = ServerName::try_from("launcher").map_err(io::Error::other)?;
        let connected = TlsConnector::from(Arc::new(config)).connect(server, stream).await;
        let mut stream = connected.map_err(|error| match seen.other() {
            Some(seen) => io::Error::other(format!("it has the key {seen}, not {launcher}")),
            None => error,
        })?;
        write(&mut stream, &Hello { host: name.to_owned(), protocol: PROTOCOL.to_owned() }).await?;
        let Welcome { refused } = read(&mut stream).await?;
        Ok::<_, io::Error>((stream, refused))
    };
    let come = scheduler.timeout(CONNECT_TIME, coming).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match come.map_err(not_reached)? {
        (stream, None) => Ok(stream),
        (_, Some(reason)) => Err(ArrivalError::Refused { host: name.to_owned(), reason }),
    }
}

/// Reads a line of JSON and nothing behind it, which is for others.
async fn read<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => return Ok(serde_json::from_slice(&line)?),
            byte if line.len() < LINE_BYTES_MAX => line.push(byte),
            _ => return Err(io::Error::other("the first line is too long")),
        }
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests;
