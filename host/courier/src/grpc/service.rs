//! What an endpoint serves: which replica a request is for, who may call it, and the call itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderMap;
use lp_base::lease::Lease;
use tokio::sync::watch;
use tonic::Status;

use super::metadata;
use super::public::Public;
use super::status::to_status;
use crate::credential::{Bearer, Permits};
use crate::{CallContext, CallError, Message, Peer};

/// A replica that an endpoint serves.
#[derive(Clone)]
pub struct ServedReplica {
    /// The replica, in this process or, where clients may pick any, in another one.
    pub peer: Peer,
    /// The index of each method by its path.
    pub methods: Arc<HashMap<String, usize>>,
    /// Who may call it from other workers; of no matter to clients outside of the program.
    pub permits: Arc<Permits>,
}

/// What an endpoint serves.
pub struct Service {
    replicas: Vec<ServedReplica>,
    /// The place of each replica by the names that a request may call it.
    by_name: HashMap<String, usize>,
    pub(super) message_bytes_max: usize,
    next: AtomicUsize,
    public: Option<Public>,
    lease: Option<Lease>,
}

/// What an endpoint serves at the moment; nodes may be rebuilt.
pub type Services = watch::Receiver<Arc<Service>>;

impl Service {
    /// The endpoint for other workers of the same program.
    pub fn internal(replicas: Vec<ServedReplica>, message_bytes_max: usize) -> Self {
        let labels = replicas.iter().map(|replica| replica.peer.label().to_owned());
        let by_name = labels.zip(0..).collect();
        Self { replicas, by_name, message_bytes_max, next: AtomicUsize::new(0), public: None, lease: None }
    }

    /// The same for a worker that may answer calls only while `lease` holds, if there is one.
    pub fn leased(self, lease: Option<Lease>) -> Self {
        Self { lease, ..self }
    }

    /// The endpoint of one node for clients outside of the program, who may name its replicas by number.
    pub fn public(replicas: Vec<ServedReplica>, message_bytes_max: usize, public: Public) -> Self {
        let mut service = Self::internal(replicas, message_bytes_max);
        let numbers = service.by_name.iter().filter_map(|(label, &place)| Some((label.split_once('/')?.1, place)));
        let numbers: Vec<_> = numbers.map(|(number, place)| (number.to_owned(), place)).collect();
        service.by_name.extend(numbers);
        service.public = Some(public);
        service
    }

    /// The parts for clients outside of the program, where it is an endpoint for them.
    pub(super) fn for_outside(&self) -> Option<&Public> {
        self.public.as_ref()
    }

    /// The replica and the method that a request is for: the one it names, or the next of the ready ones.
    pub(super) fn route(&self, path: &str, headers: &HeaderMap) -> Result<(&ServedReplica, usize), Status> {
        let found = match headers.get(metadata::REPLICA).map(|name| name.to_str().unwrap_or_default()) {
            None => self.next_serving(path),
            Some(name) => match self.by_name.get(name).map(|&place| &self.replicas[place]) {
                None => return Err(Status::not_found(format!("no replica `{name}` is served here"))),
                Some(replica) => replica.methods.get(path).map(|&method| (replica, method)),
            },
        };
        found.ok_or_else(|| Status::unimplemented(format!("no method `{path}` is served here")))
    }

    /// The replica and the method that a request of another worker is for, and what it says of itself. Who shows nothing
    /// that the replica accepts learns nothing of it, not even that it is there.
    pub(super) fn route_known(
        &self,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<(&ServedReplica, usize, CallContext), Status> {
        let denied = || to_status(&CallError::Denied);
        let name = headers.get(metadata::REPLICA).and_then(|name| name.to_str().ok()).ok_or_else(denied)?;
        let replica = self.by_name.get(name).map(|&place| &self.replicas[place]).ok_or_else(denied)?;
        let shown = metadata::credential(headers).ok_or_else(denied)?;
        let bearer = replica.permits.bearer(shown).ok_or_else(denied)?;
        let context = metadata::read(headers, *bearer != Bearer::Outside);
        if !bearer.is(context.caller) {
            return Err(denied());
        }
        match replica.methods.get(path) {
            Some(&method) => Ok((replica, method, context)),
            None => Err(Status::unimplemented(format!("no method `{path}` is served here"))),
        }
    }

    /// The next replica that has a method at `path`: of those that are ready, if there are any.
    fn next_serving(&self, path: &str) -> Option<(&ServedReplica, usize)> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = self.replicas.iter().cycle().skip(turn % self.replicas.len().max(1)).take(self.replicas.len());
        let mut serving = in_turn.filter_map(|replica| Some((replica, *replica.methods.get(path)?)));
        serving.clone().find(|(replica, _)| replica.peer.is_ready()).or_else(|| serving.next())
    }

    /// Calls `peer` with a request that has come.
    pub(super) async fn call(
        &self,
        peer: &Peer,
        method: usize,
        request: Message,
        context: CallContext,
    ) -> Result<Message, Status> {
        // It may have come before this process was stopped for a while. No connection takes the answer any more.
        if self.lease.as_ref().is_some_and(|lease| !lease.holds()) {
            return Err(to_status(&CallError::Unavailable));
        }
        // A call without any time is over before it begins.
        if context.options.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(to_status(&CallError::DeadlineExceeded));
        }
        if let Some(public) = &self.public {
            public.check(method, request.head()).map_err(Status::invalid_argument)?;
        }
        match peer.call(method, request, context).await {
            Ok(response) if response.encoded_len() > self.message_bytes_max => Err(to_status(&CallError::TooLarge)),
            Ok(response) => Ok(response),
            Err(error) => Err(to_status(&error)),
        }
    }
}
