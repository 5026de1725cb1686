//! Bodies of HTTP messages as streams of bytes and of lines, in both directions and with back-pressure.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, Incoming};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::protocol::LINE_BYTES_MAX;

/// A body that is sent.
pub type Outgoing = UnsyncBoxBody<Bytes, io::Error>;

/// How many frames wait for their connection.
const FRAMES_MAX: usize = 4;

/// The most bytes of a stream that become one frame.
const FRAME_BYTES: usize = 64 << 10;

/// A body of these bytes.
pub fn full(bytes: impl Into<Bytes>) -> Outgoing {
    http_body_util::Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that is written by and by. It ends when its [`Sender`] is dropped; the end of those who read it is seen by that.
pub fn channel() -> (Sender, Outgoing) {
    let (sender, frames) = mpsc::channel(FRAMES_MAX);
    (Sender(sender), Frames(frames).boxed_unsync())
}

struct Frames(mpsc::Receiver<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(ready!(self.0.poll_recv(cx)).map(Ok))
    }
}

/// Writes a body.
#[derive(Clone, Debug)]
pub struct Sender(mpsc::Sender<Frame<Bytes>>);

impl Sender {
    /// Writes bytes, once there is room.
    ///
    /// # Errors
    /// If nobody reads the body any more.
    pub async fn bytes(&self, bytes: Bytes) -> io::Result<()> {
        self.0.send(Frame::data(bytes)).await.map_err(|_| gone())
    }

    /// Writes a line of JSON.
    ///
    /// # Errors
    /// If nobody reads the body any more.
    pub async fn line(&self, line: &impl Serialize) -> io::Result<()> {
        self.bytes(json_line(line)?).await
    }

    /// Writes the trailers, which are the last of a body.
    ///
    /// # Errors
    /// If nobody reads the body any more.
    pub async fn trailers(&self, trailers: HeaderMap) -> io::Result<()> {
        self.0.send(Frame::trailers(trailers)).await.map_err(|_| gone())
    }

    /// Writes all that `reader` gives, until its end.
    ///
    /// # Errors
    /// If it fails, or nobody reads the body any more.
    pub async fn all(&self, reader: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(FRAME_BYTES);
            if reader.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            self.bytes(buffer.split().freeze()).await?;
        }
    }

    /// Ends when nobody reads the body any more.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads it any more")
}

/// A line of JSON.
///
/// # Errors
/// If the value is none.
pub fn json_line(value: &impl Serialize) -> io::Result<Bytes> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line.into())
}

/// Reads a body that consists of lines of JSON.
pub struct Lines {
    body: Incoming,
    read: BytesMut,
    /// How much of it has no end of a line.
    searched: usize,
}

impl Lines {
    /// The lines of `body`.
    pub fn of(body: Incoming) -> Self {
        Self { body, read: BytesMut::new(), searched: 0 }
    }

    /// The next one; `None` at the end of the body. It may be dropped at any time and called again.
    ///
    /// # Errors
    /// If it is something else, or too long, or the connection was lost.
    pub async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(at) = self.read[self.searched..].iter().position(|&byte| byte == b'\n') {
                let line = self.read.split_to(self.searched + at + 1);
                self.searched = 0;
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            self.searched = self.read.len();
            if self.searched > LINE_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long"));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
                        self.read.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}

/// Writes what a body gives to `writer`, and returns its trailers.
///
/// # Errors
/// If the connection was lost, or `writer` fails.
pub async fn copy(body: &mut Incoming, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<HeaderMap> {
    while let Some(frame) = body.frame().await {
        match frame.map_err(io::Error::other)?.into_data() {
            Ok(data) => {
                writer.write_all(&data).await?;
                writer.flush().await?;
            }
            Err(frame) => return Ok(frame.into_trailers().unwrap_or_default()),
        }
    }
    Ok(HeaderMap::new())
}

/// All of a body.
///
/// # Errors
/// If it has more than `bytes_max`, or the connection was lost.
pub async fn bytes(mut body: Incoming, bytes_max: usize) -> io::Result<Bytes> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
            if read.len() + data.len() > bytes_max {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large"));
            }
            read.extend_from_slice(&data);
        }
    }
    Ok(read.freeze())
}

/// All of a body, which is a short text.
///
/// # Errors
/// If it has more than `bytes_max`, or the connection was lost.
pub async fn text(body: Incoming, bytes_max: usize) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&bytes(body, bytes_max).await?).into_owned())
}
