//! What an endpoint for clients outside of the program has beside the couriers: health, reflection, checks of requests.

use std::collections::HashMap;
use std::convert::Infallible;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all, select_all};
use tokio::sync::watch;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::health_reporter;

use super::server::Check;

type Handler = Box<dyn Fn(http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> + Send + Sync>;

/// The parts of an endpoint that only outside clients use.
pub struct Public {
    /// By the name of the service.
    handlers: HashMap<&'static str, Handler>,
    check: Box<Check>,
    health: tokio::task::AbortHandle,
}

/// A schema that can't be served.
#[derive(Debug, thiserror::Error)]
#[error("failed to serve the schema of the node")]
pub struct ReflectionError(#[from] tonic_reflection::server::Error);

impl Public {
    /// Serves the schema `descriptors`, an encoded `FileDescriptorSet`, and the health of the services in it, which
    /// is whether any of `readiness` is. `check` judges every request before it is queued.
    ///
    /// # Errors
    /// If the schema is none.
    pub fn new(
        descriptors: &[u8],
        services: Vec<String>,
        mut readiness: Vec<watch::Receiver<bool>>,
        check: Box<Check>,
    ) -> Result<Self, ReflectionError> {
        let (reporter, health) = health_reporter();
        let watching = tokio::spawn(async move {
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
                .register_encoded_file_descriptor_set(descriptors)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        // Most clients in use still ask for the version before the standard one.
        let handlers = [handler(health), handler(reflection().build_v1()?), handler(reflection().build_v1alpha()?)];
        Ok(Self { handlers: HashMap::from(handlers), check, health: watching.abort_handle() })
    }

    /// The service that answers `path`, unless it is a courier's.
    pub(super) fn handler(&self, path: &str) -> Option<&Handler> {
        self.handlers.get(path.strip_prefix('/')?.split('/').next()?)
    }

    pub(super) fn check(&self, method: usize, request: &[u8]) -> Result<(), String> {
        (self.check)(method, request)
    }
}

impl Drop for Public {
    fn drop(&mut self) {
        self.health.abort();
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
