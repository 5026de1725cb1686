//! The calls of a test, made from outside of the program.

use std::time::Duration;

use lp_base::plan::{NodeId, Plan, ReplicaId};
use lp_component::proto::{method_name, service_name};
use lp_component::value::{decode_json, decode_wave};
use lp_courier::{CallError, Message};
use lp_program::program::{Expected, ScriptCall};
use lp_run::launch::OutsideCall;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::report::{Answer, Came};

/// Makes the calls of one test.
pub(crate) struct Script<'a> {
    pub plan: &'a Plan,
    /// Where the supervisor of the program takes them.
    pub calls: &'a mpsc::UnboundedSender<OutsideCall>,
}

/// The replica that a call is for.
pub(crate) fn callee(call: &ScriptCall) -> ReplicaId {
    let node = u32::try_from(call.node).expect("a program has fewer nodes");
    ReplicaId { node: NodeId(node), index: call.replica }
}

impl Script<'_> {
    /// Makes a call, and says what came of it and what of that is not as expected.
    pub async fn call(&self, call: &ScriptCall, timeout: Duration) -> (Answer, Option<String>) {
        let (came, value) = match self.answer(call, timeout).await {
            Ok(result) => came(call, &result),
            Err(error) => (failed(&error), Value::Null),
        };
        let problem = problem(call, &came, &value).map(|problem| format!("`{}`{problem}", call.line));
        (Answer { place: call.place, came, is_expected: problem.is_none() }, problem)
    }

    async fn answer(&self, call: &ScriptCall, timeout: Duration) -> Result<Vec<u8>, CallError> {
        let callee = callee(call);
        let methods = self.plan.node(callee.node).couriers.iter().flat_map(|courier| {
            courier.methods.iter().map(|method| (courier.interface.as_str(), method.name.as_str()))
        });
        let method = methods.into_iter().position(|known| known == (call.interface.as_str(), call.method.as_str()));
        let path = format!("/{}/{}", service_name(&call.interface), method_name(&call.method));
        let (answer, answered) = oneshot::channel();
        let request = OutsideCall {
            callee,
            method: method.expect("the plan has every method of the component"),
            path: path.parse().expect("names of WIT are ASCII words, and so are those made of them"),
            request: Message::from(&call.request[..]),
            timeout,
            answer,
        };
        // A program that has ended answers no more.
        self.calls.send(request).map_err(|_| CallError::Unavailable)?;
        Ok(answered.await.unwrap_or(Err(CallError::Unavailable))?.to_vec())
    }
}

fn came(call: &ScriptCall, result: &[u8]) -> (Came, Value) {
    let Some(ty) = &call.types.result else { return (Came::Nothing, Value::Null) };
    // The runtime has checked the result by the same type.
    let value = decode_json(Some(ty), result).unwrap_or_default();
    let wave = decode_wave(Some(ty), result).unwrap_or_default();
    (Came::Result { wave, json: value.clone() }, value)
}

fn failed(error: &CallError) -> Came {
    Came::Error { case: CallError::CASES[error.case()], message: error.message().map(str::to_owned) }
}

/// What is not as expected, if anything, to be read after the line of the call.
fn problem(call: &ScriptCall, came: &Came, value: &Value) -> Option<String> {
    let expected = match (&call.expected, came) {
        (Expected::Fails(wanted), Came::Error { case, .. }) if case == wanted => return None,
        (Expected::Fails(case), _) => format!("fails {case}"),
        (Expected::Passes, Came::Result { .. }) => {
            return value.get("err").map(|error| format!(": {}", error.as_str().unwrap_or_default()));
        }
        (_, Came::Error { .. }) => "a result".to_owned(),
        (Expected::Any | Expected::Passes, _) => return None,
        (Expected::Result(pattern), _) => match call.types.result.as_deref() {
            Some(ty) if !pattern.matches(ty, value) => "another result".to_owned(),
            _ => return None,
        },
    };
    let found = match came {
        Came::Result { wave, .. } => format!("`{wave}`"),
        Came::Nothing => "a result".to_owned(),
        // As a test would expect it, with its message where it has one.
        Came::Error { case, message: Some(message) } => format!("fails {case} ({message})"),
        Came::Error { case, message: None } => format!("fails {case}"),
    };
    Some(format!(": expected {expected}, found {found}"))
}
