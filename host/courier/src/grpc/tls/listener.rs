//! The port at which a worker is called by those on other hosts, and by any stranger who finds it.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lp_base::scheduler::Scheduler;
use lp_trust::ALPN;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::link;
use super::stranger::Stranger;

/// How many connections may be before or in their handshakes at once. Where another one comes, the oldest goes.
const HANDSHAKES_MAX: usize = 128;
/// How long a handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);

/// What came of a connection.
type Handshake = Result<TlsStream<TcpStream>, Option<(Stranger, SocketAddr)>>;

/// A TCP port of a worker, behind which only those come who have a certificate of the run's authority.
pub struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Handshake>,
    /// Those of them that may still be going on, the oldest first.
    unfinished: VecDeque<AbortHandle>,
    /// The kinds of strangers that were told of.
    known: BTreeSet<Stranger>,
    tell: Box<dyn Fn(Stranger, SocketAddr) + Send>,
    scheduler: Scheduler,
}

impl TlsListener {
    /// Takes connections from `listener` on the terms of `config`. Handshakes are tasks of `scheduler`. `tell` is called once
    /// for each kind of stranger, with the address of the first one.
    pub fn new(
        listener: TcpListener,
        config: ServerConfig,
        tell: impl Fn(Stranger, SocketAddr) + Send + 'static,
        scheduler: Scheduler,
    ) -> Self {
        Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            handshakes: JoinSet::new(),
            unfinished: VecDeque::new(),
            known: BTreeSet::new(),
            tell: Box::new(tell),
            scheduler,
        }
    }

    /// The next connection of one of the run's. One that waits for it and is dropped loses none.
    pub(in crate::grpc) async fn accept(&mut self) -> io::Result<TlsStream<TcpStream>> {
        loop {
            tokio::select! {
                biased;
                // One that was thrown out has no result, and is told of by nobody: it may have been a worker.
                Some(handshake) = self.handshakes.join_next() => match handshake {
                    Ok(Ok(stream)) => return Ok(stream),
                    Ok(Err(Some((stranger, from)))) if self.known.insert(stranger) => (self.tell)(stranger, from),
                    Ok(Err(_)) | Err(_) => {}
                },
                accepted = self.listener.accept() => {
                    let (stream, from) = accepted?;
                    self.begin(stream, from);
                }
            }
        }
    }

    fn begin(&mut self, stream: TcpStream, from: SocketAddr) {
        self.unfinished.retain(|handshake| !handshake.is_finished());
        if self.unfinished.len() >= HANDSHAKES_MAX
            && let Some(oldest) = self.unfinished.pop_front()
        {
            oldest.abort();
        }
        let (acceptor, scheduler) = (self.acceptor.clone(), self.scheduler.clone());
        let handshake = async move {
            // A connection that is gone already is nobody's.
            link::prepare(&stream).map_err(|_| None)?;
            let accepted = scheduler.timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await;
            let stranger = match accepted {
                Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(ALPN) => return Ok(stream),
                Ok(Ok(_)) => Some(Stranger::OtherProtocol),
                Ok(Err(error)) => Stranger::of(&error),
                Err(_) => Some(Stranger::Silent),
            };
            Err(stranger.map(|stranger| (stranger, from)))
        };
        let handshake = self.scheduler.spawn_in(&mut self.handshakes, handshake);
        self.unfinished.push_back(handshake);
    }
}
