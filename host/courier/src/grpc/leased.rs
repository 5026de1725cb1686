//! A connection of a worker whose host has a lease: nothing goes out or comes in when that has ended.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lp_base::lease::Lease;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::ByteStream;

/// The connection, held to `lease` if there is one.
pub(super) fn leased(stream: ByteStream, lease: Option<&Lease>) -> ByteStream {
    match lease {
        None => stream,
        Some(lease) => Box::new(Leased { stream, lease: lease.clone(), is_unsent: false }),
    }
}

struct Leased {
    stream: ByteStream,
    lease: Lease,
    /// Something was written that may not have gone out.
    is_unsent: bool,
}

impl Leased {
    /// Looked at for each piece and not for each call: between this and the system call that takes the piece, nothing is done
    /// but to encrypt it.
    fn check(&self) -> io::Result<()> {
        match self.lease.holds() {
            true => Ok(()),
            false => Err(io::Error::other("the lease of this host has ended")),
        }
    }
}

impl AsyncRead for Leased {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        // After it: what came in while the process was stopped must not be worked on.
        if let (Poll::Ready(Ok(())), Err(error)) = (&read, self.check()) {
            buffer.set_filled(filled);
            return Poll::Ready(Err(error));
        }
        read
    }
}

impl AsyncWrite for Leased {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        self.is_unsent = true;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        self.is_unsent = true;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// What waits for the network to take it goes out here.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // h2 flushes whenever it is polled.
        if self.is_unsent {
            self.check()?;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.is_unsent = false;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
