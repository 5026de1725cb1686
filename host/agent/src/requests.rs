//! What a launcher asks of its agent, by one connection; see `lp_remote::protocol`.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use lp_base::plan::{Plan, ReplicaId};
use lp_base::words::Digest;
use lp_remote::body::{self, Lines, Outgoing};
use lp_remote::protocol::{
    COMPONENT_BYTES_MAX, LeaseRequest, PLACE_FIELD, PROTOCOL, PROTOCOL_FIELD, Preparation, Prepared,
};
use serde::de::DeserializeOwned;

use crate::agent::{Agent, Note};
use crate::lease::{Lease, keep};

/// The shortest and the longest lease that an agent gives, in milliseconds.
const LEASE_MS: std::ops::RangeInclusive<u64> = 1000..=3_600_000;

/// A connection of a launcher.
pub(crate) struct Connection {
    agent: Arc<Agent>,
    launcher: String,
    advertised: String,
    lease: Mutex<Option<Arc<Lease>>>,
}

/// Why something is refused.
pub(crate) struct Refusal(StatusCode, String);

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self(StatusCode::CONFLICT, reason)
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        error.to_string().into()
    }
}

fn bad(reason: &str) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, reason.to_owned())
}

type Answer = Result<Response<Outgoing>, Refusal>;

impl Connection {
    pub fn new(agent: Arc<Agent>, launcher: String, advertised: String) -> Self {
        Self { agent, launcher, advertised, lease: Mutex::default() }
    }

    /// Answers a request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Outgoing> {
        let answered = self.route(request).await;
        answered.unwrap_or_else(|Refusal(status, reason)| {
            let mut response = Response::new(body::full(reason));
            *response.status_mut() = status;
            response
        })
    }

    /// Waits until the lease has ended, if there is one.
    pub async fn ended(&self) {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(lease) = lease {
            lease.ended().await;
        }
    }

    /// Ends the lease.
    pub async fn end(&self, reason: &str) {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(lease) = lease {
            lease.end(reason);
            lease.ended().await;
        }
    }

    async fn route(&self, request: Request<Incoming>) -> Answer {
        let asked = request.headers().get(PROTOCOL_FIELD).map(|protocol| protocol.as_bytes());
        if asked != Some(PROTOCOL.as_bytes()) {
            let asked = String::from_utf8_lossy(asked.unwrap_or(b"something else")).into_owned();
            let reason = format!(
                "the launcher speaks protocol `{asked}` and the agent `{PROTOCOL}`: run the same lp-host on both hosts"
            );
            return Err(Refusal(StatusCode::UPGRADE_REQUIRED, reason));
        }
        let path = request.uri().path().to_owned();
        let mut parts = path.trim_start_matches('/').splitn(2, '/');
        let (what, which) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        match (request.method(), what) {
            (&Method::POST, "lease") => self.lease(request.into_body()).await,
            (&Method::PUT, "component") => self.put(which, request.into_body()).await,
            (&Method::POST, "prepare") => self.prepare(request.into_body()).await,
            (&Method::POST, "worker") => self.start(index(which)?, request.into_body()).await,
            (&Method::POST, "kill") => {
                self.current()?.kill(index(which)?).await;
                Ok(Response::new(body::full("")))
            }
            _ => Err(Refusal(StatusCode::NOT_FOUND, format!("there is no `{path}`"))),
        }
    }

    fn current(&self) -> Result<Arc<Lease>, Refusal> {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let lease = lease.filter(|lease| lease.holds()).ok_or_else(|| "there is no lease".to_owned())?;
        Ok(lease)
    }

    async fn lease(&self, asked: Incoming) -> Answer {
        let mut answers = Lines::of(asked);
        let request: LeaseRequest = answers.next().await?.ok_or_else(|| bad("there is no request for a lease"))?;
        if !is_whole(&request.plan)
            || !LEASE_MS.contains(&request.lease_ms)
            || request.workers.iter().any(|&index| index >= request.plan.workers.len())
        {
            return Err(bad("there is no such lease"));
        }
        if self.lease.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Err(bad("this connection has a lease already"));
        }
        let (run, workers) = (request.run.clone(), request.workers.len());
        let lease = Arc::new(Lease::new(self.agent.clone(), request, self.advertised.clone())?);
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = Some(lease.clone());
        self.agent.note(Note::Leased { launcher: self.launcher.clone(), run, workers });
        let (renewals, response) = body::channel();
        self.agent.scheduler().spawn(keep(lease, answers, renewals)).detach();
        Ok(Response::new(response))
    }

    async fn put(&self, digest: &str, component: Incoming) -> Answer {
        self.current()?;
        let digest: Digest = digest.parse().map_err(|_| bad("a component has a digest"))?;
        let bytes = body::bytes(component, COMPONENT_BYTES_MAX).await?;
        let (agent, bytes_len) = (self.agent.clone(), bytes.len());
        let kept = self.agent.scheduler().blocking(move || agent.store.put(digest, &bytes)).await;
        kept.map_err(|error| format!("the component {digest} can't be kept: {error}"))?;
        self.agent.note(Note::Received { launcher: self.launcher.clone(), component: digest, bytes_len });
        Ok(Response::new(body::full("")))
    }

    async fn prepare(&self, asked: Incoming) -> Answer {
        let lease = self.current()?;
        let preparation: Preparation = one(asked).await?;
        let workers = &preparation.workers;
        if workers.iter().any(|&index| index >= lease.plan().workers.len()) {
            return Err(bad("there is no such worker"));
        }
        let (sender, response) = body::channel();
        self.agent
            .scheduler()
            .spawn(async move {
                let last = match lease.prepare(preparation, &sender).await {
                    Ok(missing) if missing.is_empty() => Prepared::Done,
                    Ok(missing) => Prepared::Missing { components: missing },
                    Err(message) => Prepared::Failed { message },
                };
                // A launcher that is gone does not need it.
                let _ = sender.line(&last).await;
            })
            .detach();
        Ok(Response::new(response))
    }

    async fn start(&self, index: usize, commands: Incoming) -> Answer {
        let lease = self.current()?;
        let (reports, response) = body::channel();
        let place = lease.start(index, commands, reports).await?;
        let place = serde_json::to_string(&place).map_err(std::io::Error::from)?;
        let mut response = Response::new(response);
        let place = HeaderValue::from_str(&place).map_err(|_| bad("its address can't be sent"))?;
        response.headers_mut().insert(PLACE_FIELD, place);
        Ok(response)
    }
}

/// Whether every replica that the workers of a plan run is one of its nodes', and every colocation is there.
fn is_whole(plan: &Plan) -> bool {
    let replicas = plan.workers.iter().flat_map(|worker| &worker.replicas);
    let is_replica =
        |replica: &ReplicaId| plan.nodes.get(replica.node.0 as usize).is_some_and(|node| replica.index < node.replicas);
    let mut colocations = plan.workers.iter().filter_map(|worker| worker.colocation);
    replicas.into_iter().all(is_replica) && colocations.all(|number| (number as usize) < plan.colocations.len())
}

fn index(text: &str) -> Result<usize, Refusal> {
    text.parse().map_err(|_| bad("a worker has a number"))
}

async fn one<T: DeserializeOwned>(asked: Incoming) -> Result<T, Refusal> {
    let mut lines = Lines::of(asked);
    lines.next().await?.ok_or_else(|| bad("the request has no body"))
}
