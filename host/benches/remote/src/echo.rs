//! The comparison: a unary echo over a Unix socket, or over TLS with certificates on both ends, written with tonic's transport and
//! prost as its guide does it.

use std::convert::Infallible;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::future::join_all;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio::net::TcpListener;
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::{Over, Work};

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

/// Serves the echo in `dir` until the process is killed.
pub fn serve(dir: &Path, over: Over) {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let served = runtime.block_on(async {
        let mut server = Server::builder()
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES);
        match over {
            Over::Unix => {
                let listener = UnixListener::bind(dir.join("echo")).expect("the socket can be bound");
                let incoming = UnixListenerStream::new(listener);
                server.add_service(EchoServer).serve_with_incoming(incoming).await
            }
            Over::Tls => {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
                let address = listener.local_addr().expect("it is bound").to_string();
                let (identity, authority) = shown(dir, "server");
                let tls = ServerTlsConfig::new().identity(identity).client_ca_root(authority);
                std::fs::write(dir.join("address.new"), address).expect("the directory is there");
                std::fs::rename(dir.join("address.new"), dir.join("address")).expect("it was just written");
                let mut server = server.tls_config(tls).expect("the certificates fit");
                let incoming = TcpListenerStream::new(listener);
                server.add_service(EchoServer).serve_with_incoming(NoDelay(incoming)).await
            }
        }
    });
    served.expect("the socket can be served");
}

/// Connections that send small calls at once.
struct NoDelay(TcpListenerStream);

impl futures::Stream for NoDelay {
    type Item = std::io::Result<tokio::net::TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let stream = std::task::ready!(Pin::new(&mut self.0).poll_next(cx));
        Poll::Ready(stream.map(|stream| stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream))))
    }
}

/// What one end shows, and whom it believes.
fn shown(dir: &Path, end: &str) -> (Identity, Certificate) {
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).expect("it was written");
    let identity = Identity::from_pem(read(&format!("{end}.pem")), read(&format!("{end}.key")));
    (identity, Certificate::from_pem(read("authority.pem")))
}

/// Writes certificates for both ends, of the kinds that workers have.
fn certify(dir: &Path) {
    let write = |name: String, text: String| std::fs::write(dir.join(name), text).expect("the directory is there");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let key = KeyPair::generate().expect("there is randomness");
    let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate can be made");
    write("authority.pem".to_owned(), issuer.pem());
    for end in ["server", "client"] {
        let mut params = CertificateParams::new(["echo".to_owned()]).expect("it is a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("there is randomness");
        write(format!("{end}.pem"), params.signed_by(&key, &issuer).expect("a certificate can be made").pem());
        write(format!("{end}.key"), key.serialize_pem());
    }
}

/// A process that serves the echo, and a client of it in this process.
pub struct Running {
    server: Child,
    channel: Channel,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

impl Running {
    pub fn start(over: Over) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        certify(dir.path());
        let this = std::env::current_exe().expect("the system knows this program");
        let server = Command::new(this).arg(dir.path()).arg(over.word()).spawn();
        let server = server.expect("this program can be started again");
        let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
        let endpoint = |url: String| {
            let endpoint = Endpoint::from_shared(url).expect("it is a URL");
            endpoint.initial_stream_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES)
        };
        let channel = runtime.block_on(async {
            let place: PathBuf = dir.path().join(if over == Over::Tls { "address" } else { "echo" });
            while !place.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let connected = match over {
                Over::Unix => {
                    let connector = tower::service_fn(move |_: http::Uri| {
                        let socket = place.clone();
                        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
                    });
                    endpoint("http://echo".to_owned()).connect_with_connector(connector).await
                }
                Over::Tls => {
                    let address = std::fs::read_to_string(place).expect("it was written");
                    let (identity, authority) = shown(dir.path(), "client");
                    let tls = ClientTlsConfig::new().identity(identity).ca_certificate(authority).domain_name("echo");
                    let endpoint = endpoint(format!("https://{address}")).tls_config(tls);
                    endpoint.expect("the certificates fit").connect().await
                }
            };
            connected.expect("the server listens")
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
