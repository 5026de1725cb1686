//! The calls of a test, made from outside of the program as `lp-host call` makes them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lp_base::calls::ReplicaIndex;
use lp_base::plan::{NodeId, Plan, ReplicaId};
use lp_component::proto::{method_name, service_name};
use lp_component::value::{decode_json, decode_wave};
use lp_courier::grpc::{Address, Connection};
use lp_courier::{CallContext, CallError, CallOptions, Exchange, Message, Passes, Remote, RemoteLimits, RemoteProcess};
use lp_program::program::{Expected, ScriptCall};
use lp_run::launch::{Credentials, WorkerFiles};
use lp_run::worker::Caller;

/// Makes the calls of one test.
pub(crate) struct Script<'a> {
    plan: &'a Plan,
    credentials: &'a Credentials,
    files: WorkerFiles,
    /// The workers that were called.
    processes: HashMap<usize, Arc<RemoteProcess>>,
}

impl<'a> Script<'a> {
    pub fn new(plan: &'a Plan, credentials: &'a Credentials, dir: &Path) -> Self {
        Self { plan, credentials, files: WorkerFiles::of(dir), processes: HashMap::new() }
    }

    /// The replica that a call is for.
    pub fn callee(call: &ScriptCall) -> ReplicaId {
        let node = u32::try_from(call.node).expect("a program has fewer nodes");
        ReplicaId { node: NodeId(node), index: call.replica }
    }

    /// Makes a call, and says what is not as expected.
    pub async fn call(&mut self, call: &ScriptCall, until: Instant) -> Result<(), String> {
        let timeout = until.saturating_duration_since(Instant::now());
        let answer = self.answer(call, timeout).await;
        let (expected, found) = match (&call.expected, answer) {
            (Expected::Fails(case), Err(error)) if CallError::CASES[error.case()] == case => return Ok(()),
            (Expected::Fails(case), Ok(result)) => (format!("fails {case}"), shown(call, &result)?),
            (Expected::Fails(case), Err(error)) => (format!("fails {case}"), failed(&error)),
            (_, Err(error)) => ("a result".to_owned(), failed(&error)),
            (Expected::Any, Ok(_)) => return Ok(()),
            (Expected::Result(pattern), Ok(result)) => {
                let ty = call.types.result.as_deref();
                let value = decode_json(ty, &result).map_err(|error| format!("`{}`: {error}", call.line))?;
                if ty.is_none_or(|ty| pattern.matches(ty, &value)) {
                    return Ok(());
                }
                ("another result".to_owned(), shown(call, &result)?)
            }
        };
        Err(format!("`{}`: expected {expected}, found {found}", call.line))
    }

    async fn answer(&mut self, call: &ScriptCall, timeout: Duration) -> Result<Vec<u8>, CallError> {
        let replica = Self::callee(call);
        let worker = self.plan.workers.iter().position(|worker| worker.replicas.contains(&replica));
        let worker = worker.expect("every replica of a plan has a worker");
        let process = self.processes.entry(worker).or_insert_with(|| {
            let message_bytes_max = usize::try_from(self.plan.message_bytes_max).unwrap_or(usize::MAX);
            let limits = RemoteLimits { in_flight_max: 1, message_bytes_max };
            RemoteProcess::new(Connection::new(Address::Unix(self.files.socket(worker))), limits)
        });
        let path = format!("/{}/{}", service_name(&call.interface), method_name(&call.method));
        let path = path.parse().expect("names of WIT are ASCII words, and so are those made of them");
        let credential = self.credentials.of(Caller::User, replica.node).ok_or(CallError::Denied)?;
        let passes = Arc::new(Passes::from_iter([(None, credential.clone())]));
        let label = self.plan.label(replica);
        let remote = Remote::new(label, ReplicaIndex(0), Exchange::new(0), process.clone(), passes, Arc::from([path]));
        let options = CallOptions { timeout: Some(timeout), ..CallOptions::default() };
        let context = CallContext { origin: None, caller: None, kept: None, options };
        Ok(remote.call(0, Message::from(&call.request[..]), context).await?.to_vec())
    }
}

fn shown(call: &ScriptCall, result: &[u8]) -> Result<String, String> {
    match &call.types.result {
        None => Ok("a result".to_owned()),
        Some(ty) => {
            let text = decode_wave(Some(ty), result).map_err(|error| format!("`{}`: {error}", call.line))?;
            Ok(format!("`{text}`"))
        }
    }
}

/// The call error as a test would expect it, with its message where it has one.
fn failed(error: &CallError) -> String {
    let case = CallError::CASES[error.case()];
    match error.message() {
        Some(message) => format!("fails {case} ({message})"),
        None => format!("fails {case}"),
    }
}
