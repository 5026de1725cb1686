//! A connection to the server of one HTTP request.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hyper::client::conn::http1::{self, SendRequest};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use crate::program::{Host, Origin};

/// The most bytes of the headers of a request or a response.
pub(super) const HEADER_BYTES_MAX: usize = 64 * 1024;
/// The most headers of a response.
const HEADERS_MAX: usize = 256;
/// How long making a connection may take, where the guest does not say less.
const CONNECT_TIME: Duration = Duration::from_secs(30);
/// How long a server may take until its first byte, and between any two, where the guest does not say less.
pub(super) const READ_TIME: Duration = Duration::from_secs(600);

/// The guest's timeout, where it is the shorter one.
pub(super) fn timeout(wanted: Option<Duration>, max: Duration) -> Duration {
    wanted.unwrap_or(max).min(max)
}

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}
pub(super) type Connection = http1::Connection<TokioIo<Box<dyn Stream>>, WasiBody>;

/// Connects to where `origin` says and to nowhere else.
pub(super) async fn connect(
    origin: &Origin,
    options: &RequestOptions,
) -> Result<(SendRequest<WasiBody>, Connection), Error> {
    let connected = tokio::time::timeout(timeout(options.connect_timeout, CONNECT_TIME), async {
        let stream = reach(origin).await.map_err(Error::Connect)?;
        let stream: Box<dyn Stream> = if origin.is_https() {
            let connecting = TlsConnector::from(tls()).connect(server_name(origin.host())?, stream);
            Box::new(connecting.await.map_err(Error::Tls)?)
        } else {
            Box::new(stream)
        };
        let mut http = http1::Builder::new();
        http.max_buf_size(HEADER_BYTES_MAX).max_headers(HEADERS_MAX);
        Ok(http.handshake(TokioIo::new(stream)).await?)
    });
    connected.await.map_err(|_| Error::ConnectionTimeout)?
}

async fn reach(origin: &Origin) -> std::io::Result<TcpStream> {
    match origin.host() {
        Host::Name(name) => TcpStream::connect((name.as_str(), origin.port())).await,
        Host::Address(address) => TcpStream::connect(SocketAddr::new(*address, origin.port())).await,
    }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, Error> {
    match host {
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid),
        Host::Address(address) => Ok(ServerName::from(*address)),
    }
}

/// The TLS of all connections: the certificate authorities that Mozilla trusts, as they were when this was built.
fn tls() -> Arc<rustls::ClientConfig> {
    static TLS: LazyLock<Arc<rustls::ClientConfig>> = LazyLock::new(|| {
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("the provider has the ciphers of every version of TLS");
        Arc::new(config.with_root_certificates(roots).with_no_client_auth())
    });
    TLS.clone()
}
