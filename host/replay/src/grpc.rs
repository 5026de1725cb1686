//! `deepmind.reverb.ReverbService` for the clients of Reverb: gRPC on h2 itself.
//!
//! A connection is one task. A stream is a future in it, not a task of its own: what a client sends in one piece is worked on
//! and answered without a change of threads, and acknowledgements gather while there is more to read. Nothing of a message
//! is copied that is large: chunks are parts of what was received, and parts of what is sent.

mod call;
mod insert;
mod messages;
mod payload;
mod sample;
mod status;
mod unary;

use std::io;
use std::time::Duration;

use call::Call;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use h2::server::{Builder, Connection};
use http::Request;
#[cfg(any(test, feature = "fuzzing"))]
pub use insert::fuzz;
use payload::Payload;
pub use status::Status;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::checkpoint::Checkpointer;
use crate::service::Service;

/// How much of a message may be on its way before the receiver has to say that it took some.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;

/// How many streams a client may have on one connection.
const STREAMS_MAX: u32 = 1024;

/// All streams of a connection may have their windows full without stopping it. Those that wait for a table are not read, and
/// the samples that would let them go on may be asked for on the same connection.
const CONNECTION_WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * STREAMS_MAX;

/// The largest piece of a message.
const FRAME_BYTES: u32 = 64 << 10;

/// As much of a stream's messages is kept for a client that does not read them, beside the one that was being written.
const SEND_BYTES: usize = 1 << 20;

/// The longest message of a method other than `InsertStream`: the keys of some million items with their priorities.
const REQUEST_BYTES_MAX: usize = 64 << 20;

/// The headers of a request, as HTTP/2 counts them.
const HEADER_BYTES_MAX: u32 = 16 << 10;

/// How long a connection has to begin.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How long to wait when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the calls of clients are served with.
#[derive(Clone, Debug)]
pub struct Server {
    /// The tables.
    pub service: Service,
    /// Writes checkpoints when a client asks for one.
    pub checkpointer: Option<Checkpointer>,
}

impl Server {
    /// Serves the clients that connect to `listener`, until this is dropped. Then all connections end.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        let scheduler = self.service.scheduler().clone();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        // Small answers would wait for others to go with.
                        let _ = stream.set_nodelay(true);
                        scheduler.spawn_in(&mut connections, self.clone().serve_connection(stream));
                    }
                    // The client has gone again, or the process has no descriptor left.
                    Err(_) => scheduler.sleep(ACCEPT_PAUSE).await,
                },
            }
        }
    }

    /// Serves one client, until it goes.
    pub async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S) {
        let scheduler = self.service.scheduler().clone();
        let begun = scheduler.timeout(HANDSHAKE_TIME, begin(stream)).await;
        let Ok(Ok(mut connection)) = begun else { return };
        let mut calls = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                accepted = connection.accept() => {
                    // How a connection ends is the client's matter; calls that it leaves behind are dropped with it.
                    let Some(Ok((request, respond))) = accepted else { return };
                    calls.push(self.serve_call(request, respond));
                }
                Some(()) = calls.next(), if !calls.is_empty() => {}
            }
        }
    }

    async fn serve_call(&self, request: Request<h2::RecvStream>, respond: h2::server::SendResponse<Payload>) {
        let (head, body) = request.into_parts();
        let method = head.uri.path().strip_prefix("/deepmind.reverb.ReverbService/");
        // What comes to an insert is counted as it comes.
        let most = if method == Some("InsertStream") { usize::MAX } else { REQUEST_BYTES_MAX };
        let Some(mut call) = Call::begin(body, respond, most) else { return };
        let result = match method {
            Some("InsertStream") => insert::serve(&mut call, &self.service).await,
            Some("SampleStream") => sample::serve(&mut call, &self.service).await,
            Some("InitializeConnection") => unary::initialize_connection(&mut call).await,
            Some("ServerInfo") => unary::server_info(&mut call, &self.service).await,
            Some("MutatePriorities") => unary::mutate(&mut call, &self.service).await,
            Some("Reset") => unary::reset(&mut call, &self.service).await,
            Some("Checkpoint") => unary::checkpoint(&mut call, self.checkpointer.as_ref()).await,
            _ => Err(Status::no_method(head.uri.path())),
        };
        call.end(result);
    }
}

async fn begin<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Result<Connection<S, Payload>, h2::Error> {
    Builder::new()
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_MAX)
        .max_frame_size(FRAME_BYTES)
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_send_buffer_size(SEND_BYTES)
        .handshake(stream)
        .await
}
