//! The sockets below gRPC: nothing outside of this file depends on whether bytes go through a Unix socket or TCP.
//!
//! Another kind of socket is a variant of [`Address`] and one of [`Listener`]. Who is at the far end of a connection is for
//! the [`Audience`](super::Audience) to say; a socket only tells whether the kernel proves that end to be of the same user.

use std::io;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// A host and a port.
    Tcp(String),
}

/// Where connections come from.
pub enum Listener {
    /// A Unix socket.
    Unix(UnixListener),
    /// A TCP port.
    Tcp(TcpListener),
}

/// The bytes of a connection in both directions. Boxed, so that h2 and hyper are compiled for one kind of stream: next to a
/// system call for each read and write, the indirect call costs nothing.
pub(super) type ByteStream = Box<dyn ReadWrite>;

pub(super) trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for S {}

/// A connection that came to a [`Listener`].
pub(super) struct Accepted {
    pub stream: ByteStream,
    /// Whether the kernel proves that the process at the other end is of the same user as this one.
    pub is_own_user: bool,
}

impl Address {
    pub(super) async fn connect(&self) -> io::Result<ByteStream> {
        match self {
            Self::Unix(socket) => Ok(Box::new(UnixStream::connect(socket).await?)),
            Self::Tcp(address) => Ok(without_delay(TcpStream::connect(address).await?)),
        }
    }
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Accepted { is_own_user: is_own_user(&stream), stream: Box::new(stream) })
            }
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Accepted { is_own_user: false, stream: without_delay(stream) })
            }
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
