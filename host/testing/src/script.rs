//! The calls of a test, made from outside of the program.

use std::time::Duration;

use lp_base::plan::{NodeId, Plan, ReplicaId};
use lp_component::proto::{method_name, service_name};
use lp_component::value::{decode_json, decode_wave};
use lp_courier::{CallError, Message};
use lp_program::program::{Expected, ScriptCall};
use lp_run::launch::OutsideCall;
use tokio::sync::{mpsc, oneshot};

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
    /// Makes a call, and says what is not as expected.
    pub async fn call(&self, call: &ScriptCall, timeout: Duration) -> Result<(), String> {
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
