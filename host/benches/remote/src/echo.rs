//! The comparison: a unary echo over a Unix socket, written with tonic's transport and prost as its guide does it.

use std::convert::Infallible;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::future::join_all;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::Work;

/// The same HTTP/2 settings as between workers.
const WINDOW_BYTES: u32 = 4 << 20;
const FRAME_BYTES: u32 = 64 << 10;

#[derive(Clone, PartialEq, prost::Message)]
struct Block {
    #[prost(bytes = "vec", tag = "1")]
    data: Vec<u8>,
}

#[derive(Clone)]
struct EchoServer;

impl NamedService for EchoServer {
    const NAME: &'static str = "bench.Echo";
}

struct Echo;

impl UnaryService<Block> for Echo {
    type Response = Block;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Block>, Status>> + Send>>;

    fn call(&mut self, request: Request<Block>) -> Self::Future {
        Box::pin(async move { Ok(Response::new(request.into_inner())) })
    }
}

impl Service<http::Request<Body>> for EchoServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<Block, Block>::default()).max_decoding_message_size(64 << 20);
            Ok(grpc.unary(Echo, request).await)
        })
    }
}

/// Serves the echo until the process is killed.
pub fn serve(socket: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let served = runtime.block_on(async {
        let listener = UnixListener::bind(socket).expect("the socket can be bound");
        Server::builder()
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES)
            .add_service(EchoServer)
            .serve_with_incoming(UnixListenerStream::new(listener))
            .await
    });
    served.expect("the socket can be served");
}

/// A process that serves the echo, and a client of it in this process.
pub struct Running {
    server: Child,
    channel: Channel,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

impl Running {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let socket: PathBuf = dir.path().join("echo");
        let this = std::env::current_exe().expect("the system knows this program");
        let server = Command::new(this).arg(&socket).spawn().expect("this program can be started again");
        let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
        let channel = runtime.block_on(async {
            while !socket.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let connector = tower::service_fn(move |_: http::Uri| {
                let socket = socket.clone();
                async move { UnixStream::connect(socket).await.map(TokioIo::new) }
            });
            Endpoint::from_static("http://echo")
                .initial_stream_window_size(WINDOW_BYTES)
                .initial_connection_window_size(WINDOW_BYTES)
                .connect_with_connector(connector)
                .await
                .expect("the server listens")
        });
        Self { server, channel, runtime, _dir: dir }
    }

    pub fn time(&self, work: Work, calls: u32) -> Duration {
        let channel = self.channel.clone();
        // On a thread of the runtime, as a worker's calls are made.
        let task = self.runtime.spawn(async move {
            let start = Instant::now();
            match work {
                Work::OneByOne { bytes } => call(channel, bytes as usize, calls).await,
                Work::InFlight { width } => {
                    let lanes = (0..width).map(|_| call(channel.clone(), 0, calls / width));
                    join_all(lanes).await;
                }
            }
            start.elapsed()
        });
        self.runtime.block_on(task).expect("calls don't panic")
    }
}

/// Sends a block there and back, each time what came back.
async fn call(channel: Channel, bytes: usize, calls: u32) {
    let mut client = tonic::client::Grpc::new(channel).max_decoding_message_size(64 << 20);
    let mut block = Block { data: vec![7; bytes] };
    for _ in 0..calls {
        client.ready().await.expect("the server is there");
        let path = http::uri::PathAndQuery::from_static("/bench.Echo/Echo");
        let codec = ProstCodec::<Block, Block>::default();
        block = client.unary(Request::new(block), path, codec).await.expect("the server answers").into_inner();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
