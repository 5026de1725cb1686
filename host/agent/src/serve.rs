//! How launchers come to an agent: by the network, with a key that it knows, or by ssh.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lp_remote::client::Tasks;
use lp_remote::handshakes::Handshakes;
use lp_remote::key::{Fingerprint, Key, KnownLaunchers};
use lp_remote::{socket, tls};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::agent::Agent;
use crate::requests::Connection;

/// How long accepting connections rests after an error, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a lease has to end its workers when the agent ends.
const END_TIME: Duration = Duration::from_secs(2);

/// How long somebody who was refused has to read why.
const LINGER_TIME: Duration = Duration::from_secs(1);

/// The most launchers at the same time.
const CONNECTIONS_MAX: usize = 256;

/// How much may be under way to the agent by one request, in bytes.
const WINDOW_BYTES: u32 = 4 << 20;

/// Serves the launchers in the file `known`, which is read for each connection, at `listener`, until the agent is to stop.
/// Then its leases have ended.
///
/// # Errors
/// If the key can't be used.
pub async fn serve(agent: &Arc<Agent>, listener: TcpListener, key: &Key, known: PathBuf) -> Result<(), rustls::Error> {
    let mut connections = JoinSet::new();
    let handshakes = Handshakes::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = agent.stop.requested() => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        let Ok((stream, from)) = accepted else {
            agent.scheduler().sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let served = serve_stranger(agent.clone(), stream, from, acceptor(key, known.clone())?, handshakes.clone());
        agent.scheduler().spawn_in(&mut connections, served);
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    // What has not ended by then ends with the process.
    let _ = agent.scheduler().timeout(END_TIME, ended).await;
    Ok(())
}

/// Lets in the launchers in the file `known`, and remembers who came.
fn acceptor(key: &Key, known: PathBuf) -> Result<(TlsAcceptor, Arc<Mutex<Came>>), rustls::Error> {
    let came = Arc::new(Mutex::new(Came::Nobody));
    let seen = came.clone();
    let serves = move |launcher: Fingerprint| {
        let (who, is_known) = match KnownLaunchers::read(&known) {
            Err(error) => (Came::Unreadable(error.to_string()), false),
            Ok(launchers) => match launchers.name(launcher) {
                Some("") => (Came::Known(launcher.to_string()), true),
                Some(name) => (Came::Known(name.to_owned()), true),
                None => (Came::Unknown(launcher, known.clone()), false),
            },
        };
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = who;
        is_known
    };
    let config = tls::server_config(key, Arc::new(serves), tls::AGENT_ALPN)?;
    Ok((TlsAcceptor::from(Arc::new(config)), came))
}

/// Who is at the other end of a connection.
enum Came {
    Nobody,
    Known(String),
    Unknown(Fingerprint, PathBuf),
    Unreadable(String),
}

async fn serve_stranger(
    agent: Arc<Agent>,
    stream: TcpStream,
    from: SocketAddr,
    (acceptor, came): (TlsAcceptor, Arc<Mutex<Came>>),
    handshakes: Handshakes,
) {
    let own_address = stream.local_addr().map(|address| address.ip());
    let (Ok(()), Ok(own_address)) = (socket::set_up(&stream), own_address) else { return };
    let accepted = handshakes.finish(acceptor.accept(stream).into_fallible(), agent.scheduler()).await;
    let (accepted, refused) = match accepted {
        Some(Err((error, stream))) => (Some(Err(error)), Some(stream)),
        Some(Ok(stream)) => (Some(Ok(stream)), None),
        None => (None, None),
    };
    let who = std::mem::replace(&mut *came.lock().unwrap_or_else(PoisonError::into_inner), Came::Nobody);
    let from = from.ip().to_string();
    match (accepted, who) {
        (Some(Ok(stream)), Came::Known(launcher)) => {
            let advertised = agent.options.advertise.clone().unwrap_or_else(|| own_address.to_string());
            if agent.totals.connections() >= CONNECTIONS_MAX {
                return agent.refuse(&from, "there are too many launchers", "");
            }
            return serve_launcher(agent, stream, launcher, advertised).await;
        }
        (_, Came::Unknown(launcher, file)) => {
            let mend = format!(": add the line `{launcher}` to `{}` to serve it", file.display());
            agent.refuse(&from, "its key is not known", &mend);
        }
        (_, Came::Unreadable(error)) => agent.refuse(&from, "no launcher is known", &format!(": {error}")),
        (Some(Err(error)), _) => agent.refuse(&from, "it speaks no TLS as launchers do", &format!(": {error}")),
        (None, _) => agent.refuse(&from, "it sent nothing", ""),
        (Some(Ok(_)), Came::Nobody) => agent.refuse(&from, "it showed no key", ""),
    }
    if let Some(stream) = refused {
        // It is one of those that are not let in, and gives up its place to a newcomer like them.
        let reading = agent.scheduler().timeout(LINGER_TIME, linger(stream));
        handshakes.finish(reading, agent.scheduler()).await;
    }
}

/// Waits until the other end has read why it is refused, and closed: closing while it still writes would take that back.
async fn linger(mut stream: TcpStream) {
    let mut rest = [0; 1024];
    // However it ends, nothing more is to be said.
    if stream.shutdown().await.is_ok() {
        while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    }
}

/// Serves the launcher at the other end of `stream`, which has proved to be there by other means, until it is gone. Other hosts
/// reach this one by `advertised`.
pub async fn serve_streams<S>(agent: &Arc<Agent>, stream: S, launcher: String, advertised: String)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    serve_launcher(agent.clone(), stream, launcher, advertised).await;
}

async fn serve_launcher<S>(agent: Arc<Agent>, stream: S, launcher: String, advertised: String)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let _counted = agent.totals.connect();
    let scheduler = agent.scheduler().clone();
    let stop = agent.stop.clone();
    let connection = Arc::new(Connection::new(agent, launcher, advertised));
    let answering = connection.clone();
    let service = service_fn(move |request| {
        let connection = answering.clone();
        async move { Ok::<_, std::convert::Infallible>(connection.answer(request).await) }
    });
    let mut builder = hyper::server::conn::http2::Builder::new(Tasks(scheduler));
    builder.initial_stream_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        // How a connection ends is the launcher's matter.
        _ = served => {}
        () = async {
            stop.requested().await;
            connection.ended().await;
        } => {}
    }
    connection.end("its launcher is gone").await;
}
