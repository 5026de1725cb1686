//! The client of `wasi:http`: a request is judged by where it goes in the end, and then sent there.

mod body;
mod connection;

use std::future::ready;
use std::sync::Arc;

use body::BodyLimit;
use connection::Connector;
use http::{HeaderValue, Method, Request, Response, header};
use lp_base::interfaces::HTTP;
use lp_base::plan::NodePlan;
use lp_base::scheduler::Scheduler;
use lp_base::words::{HttpGrant, HttpOrigin, Limit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks};

use super::denials::Denials;
use super::lookups::Lookups;
use super::streams::STREAM_BYTES;

/// Drives a connection to its end.
type Drive = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sending = Box<dyn Future<Output = Result<(Response<WasiBody>, Drive), Error>> + Send>;

/// The HTTP client of one replica.
pub struct HttpClient {
    ctx: WasiHttpCtx,
    hooks: Hooks,
    header_bytes_max: u64,
}

struct Hooks {
    grants: Vec<HttpGrant>,
    denials: Denials,
    requests_max: u32,
    requests: Arc<Semaphore>,
    connector: Connector,
    body_limit: BodyLimit,
}

impl HttpClient {
    pub fn new(node: &NodePlan, denials: &Denials, lookups: Lookups, scheduler: &Scheduler) -> Self {
        let limits = &node.limits;
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(usize::try_from(limits.http_header_bytes).unwrap_or(usize::MAX));
        let hooks = Hooks {
            grants: node.sandbox.http.clone(),
            denials: denials.clone(),
            requests_max: limits.http_requests,
            requests: Arc::new(Semaphore::new(limits.http_requests as usize)),
            connector: Connector::new(node, denials, lookups, scheduler.clone()),
            body_limit: BodyLimit { bytes_max: limits.http_body_bytes, denials: denials.clone() },
        };
        Self { ctx, hooks, header_bytes_max: limits.http_header_bytes }
    }

    /// Whether a text of a request, such as its method, may have so many bytes. If not, the user is told.
    pub fn has_room(&self, setter: &str, bytes: usize) -> bool {
        let fits = bytes as u64 <= self.header_bytes_max;
        if !fits {
            let text = setter.trim_start_matches("set-");
            let tried = format_args!("make an HTTP request whose {text} is too long");
            self.hooks.denials.tell_limit(tried, Limit::HttpHeaders, self.header_bytes_max);
        }
        fits
    }

    /// The client as wasmtime-wasi-http takes it, with the table of the guest's resources.
    pub fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView { hooks: &mut self.hooks, ctx: &mut self.ctx, table }
    }
}

impl WasiHttpHooks for Hooks {
    /// Two writes to a body are held, of one buffer together.
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        STREAM_BYTES as usize / 2
    }

    fn send_request(&mut self, request: Request<WasiBody>, options: Option<RequestOptions>, _sent: Drive) -> Sending {
        match self.admit(&request) {
            Ok((origin, permit)) => {
                let (connector, body_limit) = (self.connector.clone(), self.body_limit.clone());
                let options = options.unwrap_or_default();
                Box::new(async move { send(request, &origin, options, &connector, body_limit, permit).await })
            }
            Err(error) => Box::new(ready(Err(error))),
        }
    }
}

impl Hooks {
    /// Judges a request by its URI, which is all that says where it goes: a guest can't set the `Host` header, and what
    /// follows the host in the URI does not choose the server.
    fn admit(&self, request: &Request<WasiBody>) -> Result<(HttpOrigin, OwnedSemaphorePermit), Error> {
        let uri = request.uri();
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let origin = HttpOrigin::new(uri.scheme_str().unwrap_or_default(), authority);
        let granted = origin.as_ref().is_ok_and(|origin| self.grants.iter().any(|grant| grant.allows(origin)));
        let origin = match origin {
            Ok(origin) if granted => origin,
            Ok(origin) => {
                self.denials.tell(format_args!("request `{origin}`"), HTTP);
                return Err(Error::HttpRequestDenied);
            }
            Err(error) => {
                let scheme = uri.scheme_str().unwrap_or_default();
                self.denials
                    .tell(format_args!("request `{scheme}://{authority}`, which no grant is for: {error}"), HTTP);
                return Err(Error::HttpRequestDenied);
            }
        };
        // A tunnel would lead on to servers that nobody has judged.
        if request.method() == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        // Each has a connection of its own.
        let permit = self.requests.clone().try_acquire_owned().map_err(|_| {
            let max = u64::from(self.requests_max);
            self.denials.tell_limit("make more HTTP requests at once", Limit::HttpRequests, max);
            Error::ConnectionLimitReached
        })?;
        Ok((origin, permit))
    }
}

async fn send(
    mut request: Request<WasiBody>,
    origin: &HttpOrigin,
    options: RequestOptions,
    connector: &Connector,
    body_limit: BodyLimit,
    permit: OwnedSemaphorePermit,
) -> Result<(Response<WasiBody>, Drive), Error> {
    // The server sees the host as it was judged, and of the URI no more than what follows it.
    let host = HeaderValue::from_str(&origin.authority()).map_err(|_| Error::HttpRequestUriInvalid)?;
    request.headers_mut().insert(header::HOST, host);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|_| Error::HttpRequestUriInvalid)?;
    let request = request.map(|body| body_limit.clone().request(body));

    let (mut sender, connection) = connector.connect(origin, &options).await?;
    let connection = connector.scheduler.spawn(async move {
        let _permit = permit;
        connection.await
    });
    let first_byte = connection::timeout(options.first_byte_timeout, connection::READ_TIME);
    let response = connector.scheduler.timeout(first_byte, sender.send_request(request)).await;
    let response = response.map_err(|_| Error::ConnectionReadTimeout)?;
    let response = response.map_err(|error| connector.not_answered(error))?;
    let between_bytes = connection::timeout(options.between_bytes_timeout, connection::READ_TIME);
    let response = response.map(|body| body_limit.response(body, between_bytes, connector.scheduler.clone()));
    // A task that was ended was of no more use to anybody.
    Ok((response, Box::new(async move { connection.await.unwrap_or(Ok(())).map_err(Error::from) })))
}
