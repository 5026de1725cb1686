//! A connection to the server of one HTTP request.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hyper::client::conn::http1::{self, SendRequest};
use lp_base::plan::NodePlan;
use lp_base::scheduler::Scheduler;
use lp_base::words::{Authorities, Host, HttpOrigin, Limit};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use crate::denials::Denials;
use crate::lookups::Lookups;

/// A response may have a header for every so many bytes that its headers may have: each costs the host more memory than
/// that, however short it is.
const BYTES_PER_HEADER: u64 = 64;
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

/// Makes the connections of one replica.
#[derive(Clone)]
pub(super) struct Connector {
    tls: Arc<ClientConfig>,
    header_bytes_max: u64,
    denials: Denials,
    lookups: Lookups,
    pub(super) scheduler: Scheduler,
}

impl Connector {
    pub(super) fn new(node: &NodePlan, denials: &Denials, lookups: Lookups, scheduler: Scheduler) -> Self {
        let header_bytes_max = node.limits.http_header_bytes;
        Self { tls: tls(node.authorities.as_ref()), header_bytes_max, denials: denials.clone(), lookups, scheduler }
    }

    /// Connects to where `origin` says and to nowhere else.
    pub(super) async fn connect(
        &self,
        origin: &HttpOrigin,
        options: &RequestOptions,
    ) -> Result<(SendRequest<WasiBody>, Connection), Error> {
        let connected = self.scheduler.timeout(timeout(options.connect_timeout, CONNECT_TIME), async {
            let stream = reach(origin, &self.lookups).await.map_err(Error::Connect)?;
            let stream: Box<dyn Stream> = if origin.is_https() {
                let connecting = TlsConnector::from(self.tls.clone()).connect(server_name(origin.host())?, stream);
                Box::new(connecting.await.map_err(|error| self.not_encrypted(origin, error))?)
            } else {
                Box::new(stream)
            };
            let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
            let mut http = http1::Builder::new();
            http.max_buf_size(count(self.header_bytes_max));
            http.max_headers(count(self.header_bytes_max / BYTES_PER_HEADER));
            Ok(http.handshake(TokioIo::new(stream)).await?)
        });
        connected.await.map_err(|_| Error::ConnectionTimeout)?
    }

    /// Why no TLS was agreed on. Of a server that is not trusted, the user is told.
    fn not_encrypted(&self, origin: &HttpOrigin, error: io::Error) -> Error {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
        let Some(rustls::Error::InvalidCertificate(reason)) = cause else { return Error::Tls(error) };
        match reason {
            CertificateError::UnknownIssuer => {
                let tried = format_args!("request `{origin}`, whose certificate is from no authority that it trusts");
                self.denials.tell(tried, "sandbox.http-ca");
            }
            reason => {
                // Names stand in quotes there.
                let reason = reason.to_string().replace('"', "`");
                self.denials.tell_only(format_args!("request `{origin}`, whose certificate is wrong: {reason}"));
            }
        }
        Error::TlsCertificateError
    }

    /// Why no response came. Of headers that are too large, the user is told.
    pub(super) fn not_answered(&self, error: hyper::Error) -> Error {
        if !error.is_parse_too_large() {
            return Error::Hyper(error);
        }
        self.denials.tell_limit("take HTTP headers that are too large", Limit::HttpHeaders, self.header_bytes_max);
        Error::HttpResponseHeaderSectionSize(u32::try_from(self.header_bytes_max).ok())
    }
}

async fn reach(origin: &HttpOrigin, lookups: &Lookups) -> io::Result<TcpStream> {
    match origin.host() {
        Host::Name(name) => TcpStream::connect(&*lookups.addresses(name, origin.port()).await?).await,
        Host::Address(address) => TcpStream::connect(SocketAddr::new(*address, origin.port())).await,
    }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, Error> {
    match host {
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid),
        Host::Address(address) => Ok(ServerName::from(*address)),
    }
}

/// TLS with the certificate authorities that Mozilla trusts, as they were when this was built, and these.
fn tls(authorities: Option<&Authorities>) -> Arc<ClientConfig> {
    static MOZILLA: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| client(mozilla()));
    let Some(authorities) = authorities else { return MOZILLA.clone() };
    let mut roots = mozilla();
    authorities.add_to(&mut roots).expect("they were made by adding them to another store");
    client(roots)
}

fn mozilla() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() }
}

fn client(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("the provider has the ciphers of every version of TLS");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}
