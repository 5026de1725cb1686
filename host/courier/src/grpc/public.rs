//! What an endpoint for clients outside of the program has beside the couriers: health, types, checks of requests.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all, select_all};
use lp_base::scheduler::{Scheduler, Task};
use tokio::sync::watch;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::server::health_reporter;

use super::codec::MessageCodec;
use crate::Message;

type Handler = Box<dyn Fn(http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> + Send + Sync>;

/// The name of the service beside a node's own ones that tells its exact types.
pub const TYPES_SERVICE: &str = "lp.host.v1.Types";

/// The path of its only method, which takes an empty message.
pub const GET_WIT_PATH: &str = "/lp.host.v1.Types/GetWit";

/// Says what is wrong with a request of method number `method` from outside of the program.
pub type Check = dyn Fn(usize, &[u8]) -> Result<(), String> + Send + Sync;

/// The parts of an endpoint that only outside clients use.
pub struct Public {
    /// By the name of the service.
    handlers: HashMap<&'static str, Handler>,
    check: Box<Check>,
    _health: Task<()>,
}

/// The schema of an endpoint, each part as the bytes of a message.
pub struct PublicSchema {
    /// A `FileDescriptorSet` of the node's services, and one of [`TYPES_SERVICE`].
    pub descriptors: [Vec<u8>; 2],
    /// What [`TYPES_SERVICE`] answers; without it there is no such service.
    pub types: Option<Vec<u8>>,
}

/// A schema that can't be served.
#[derive(Debug, thiserror::Error)]
#[error("failed to serve the schema of the node")]
pub struct ReflectionError(#[from] tonic_reflection::server::Error);

impl Public {
    /// Serves `schema`, and the health of `services`, which is whether any of `readiness` is. `check` judges every
    /// request before it is queued. The health is kept up to date by a task of `scheduler`.
    ///
    /// # Errors
    /// If the schema is none.
    pub fn new(
        schema: &PublicSchema,
        services: Vec<String>,
        mut readiness: Vec<watch::Receiver<bool>>,
        check: Box<Check>,
        scheduler: &Scheduler,
    ) -> Result<Self, ReflectionError> {
        let (reporter, health) = health_reporter();
        let watching = scheduler.spawn(async move {
            loop {
                let ready = readiness.iter_mut().any(|ready| *ready.borrow_and_update());
                let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
                let names = services.iter().map(String::as_str).chain([""]);
                join_all(names.map(|name| reporter.set_service_status(name, status))).await;
                // One that can't change any more is a replica that is gone.
                readiness.retain(|ready| ready.has_changed().is_ok());
                if readiness.is_empty() {
                    return;
                }
                let _ = select_all(readiness.iter_mut().map(|ready| ready.changed().boxed())).await;
            }
        });
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(&schema.descriptors[0])
                .register_encoded_file_descriptor_set(&schema.descriptors[1])
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        // Most clients in use still ask for the version before the standard one.
        let handlers = [handler(health), handler(reflection().build_v1()?), handler(reflection().build_v1alpha()?)];
        let mut handlers = HashMap::from(handlers);
        handlers.extend(schema.types.as_deref().map(|types| (TYPES_SERVICE, types_handler(types))));
        Ok(Self { handlers, check, _health: watching })
    }

    /// The service that answers `path`, unless it is a courier's.
    pub(super) fn handler(&self, path: &str) -> Option<&Handler> {
        self.handlers.get(path.strip_prefix('/')?.split('/').next()?)
    }

    pub(super) fn check(&self, method: usize, request: &[u8]) -> Result<(), String> {
        (self.check)(method, request)
    }
}

fn handler<S>(service: S) -> (&'static str, Handler)
where
    S: tower_service::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let handler: Handler = Box::new(move |request| {
        let answer = service.clone().call(request);
        async move {
            match answer.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
        .boxed()
    });
    (S::NAME, handler)
}

/// The handler that gives every request the same answer.
fn types_handler(response: &[u8]) -> Handler {
    let response = Arc::new(Message::from(response));
    Box::new(move |request| {
        let response = response.clone();
        async move {
            match request.uri().path() {
                GET_WIT_PATH => Grpc::new(MessageCodec).unary(Constant(response), request).await,
                path => Status::unimplemented(format!("no method `{path}` is served here")).into_http(),
            }
        }
        .boxed()
    })
}

/// Answers with a message that is there.
struct Constant(Arc<Message>);

impl UnaryService<Message> for Constant {
    type Response = Arc<Message>;
    type Future = Ready<Result<Response<Arc<Message>>, Status>>;

    fn call(&mut self, _: Request<Message>) -> Self::Future {
        ready(Ok(Response::new(self.0.clone())))
    }
}
