//! The sockets below gRPC: nothing outside of this file depends on whether bytes go through a Unix socket, TCP or TLS.
//!
//! Another kind of socket is a variant of [`Address`] and one of [`Listener`]. Who is at the far end of a connection is for
//! the [`Audience`](super::Audience) to say; a socket only tells what is proven of that end.

use std::io;
use std::path::PathBuf;

use lp_base::scheduler::Scheduler;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::tls::{Moved, TlsListener, TlsPeer};

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum Address {
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// A host and a port.
    Tcp(String),
    /// A worker of the same run on another host, wherever it is at the moment.
    Tls(TlsPeer),
}

/// Where connections come from.
pub enum Listener {
    /// A Unix socket.
    Unix(UnixListener),
    /// A TCP port.
    Tcp(TcpListener),
    /// A TCP port for workers of the same run on other hosts.
    Tls(Box<TlsListener>),
}

/// The bytes of a connection in both directions. Boxed, so that h2 and hyper are compiled for one kind of stream: next to a
/// system call for each read and write, the indirect call costs nothing.
pub(super) type ByteStream = Box<dyn ReadWrite>;

pub(super) trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for S {}

/// A connection that came to a [`Listener`].
pub(super) struct Accepted {
    pub stream: ByteStream,
    pub proof: Proof,
}

/// What is proven of the far end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing.
    None,
    /// That its process is of the same user as this one, by the kernel.
    OwnUser,
    /// That it belongs to the same run, by a certificate of the run's authority.
    OwnRun,
}

impl Address {
    /// When what listens there moves somewhere else.
    pub(super) fn moved(&self) -> Moved {
        match self {
            Self::Unix(_) | Self::Tcp(_) => Moved::default(),
            Self::Tls(peer) => peer.moved(),
        }
    }

    /// Connects. `moved` comes from [`Self::moved`], and is then when the connection leads nowhere any more.
    pub(super) async fn connect(&self, moved: &mut Moved, scheduler: &Scheduler) -> io::Result<ByteStream> {
        match self {
            Self::Unix(socket) => Ok(Box::new(UnixStream::connect(socket).await?)),
            Self::Tcp(address) => Ok(without_delay(TcpStream::connect(address).await?)),
            Self::Tls(peer) => Ok(Box::new(peer.connect(moved, scheduler).await?)),
        }
    }
}

impl Listener {
    pub(super) async fn accept(&mut self) -> io::Result<Accepted> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let proof = if is_own_user(&stream) { Proof::OwnUser } else { Proof::None };
                Ok(Accepted { stream: Box::new(stream), proof })
            }
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Accepted { stream: without_delay(stream), proof: Proof::None })
            }
            Self::Tls(listener) => Ok(Accepted { stream: Box::new(listener.accept().await?), proof: Proof::OwnRun }),
        }
    }
}

fn without_delay(stream: TcpStream) -> ByteStream {
    // Without it, calls are only slower.
    let _ = stream.set_nodelay(true);
    Box::new(stream)
}

/// Whether the process at the other end is of the same user as this one.
pub fn is_own_user(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}
