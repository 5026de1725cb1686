//! A replica of a double: calls answered from a table, and counted.

use std::future::poll_fn;

use lp_base::plan::{DoublePlan, NodePlan};
use lp_base::replica::{Ended, Failure, LineSource, ReplicaSpec};
use lp_component::component::{Component, MethodTypes};
use lp_component::script::{Line, Outcome, ScriptError};
use lp_component::value::{Pattern, decode_arguments, show_arguments};
use lp_courier::{CallError, Mailbox, Message};

use super::Change;

/// The answers of a double, understood by the types of the component that it stands in for.
pub struct Double {
    /// By their places among all methods of the node.
    methods: Vec<Method>,
    answers: Vec<Answer>,
}

struct Method {
    name: String,
    types: Option<MethodTypes>,
}

struct Answer {
    line: String,
    method: usize,
    arguments: Vec<Pattern>,
    result: Result<Vec<u8>, CallError>,
    times: Option<u32>,
}

/// Why a double can't answer as its plan says.
#[derive(Debug, thiserror::Error)]
pub enum DoubleError {
    /// A line can't be an answer.
    #[error("`{line}`")]
    Line {
        /// The line.
        line: String,
        /// What is wrong with it.
        #[source]
        source: ScriptError,
    },
    /// A line has a call fail in a way that is none.
    #[error("`{line}`: there is no call error `{case}`; there are {known}", known = CallError::CASES.join(", "))]
    Case {
        /// The line.
        line: String,
        /// What it says.
        case: String,
    },
}

impl Double {
    /// The answers of `plan` for `node`, by the types of `component`, which it stands in for.
    ///
    /// # Errors
    /// If an answer does not fit the types.
    pub fn new(plan: &DoublePlan, node: &NodePlan, component: &Component) -> Result<Self, DoubleError> {
        let mut methods = Vec::new();
        let mut places = Vec::new();
        for courier in &node.couriers {
            let interface = component.couriers.iter().find(|interface| interface.name == courier.interface);
            for method in &courier.methods {
                let found = interface.and_then(|interface| interface.method(&method.name));
                let types = found.and_then(|method| method.types.clone());
                methods.push(Method { name: method.name.clone(), types });
                places.push((courier.interface.as_str(), method.name.as_str()));
            }
        }
        let mut answers = Vec::new();
        for answer in &plan.answers {
            let failed = |source| DoubleError::Line { line: answer.line.clone(), source };
            let line = Line::parse_method(&answer.line).map_err(failed)?;
            let found = line.resolve(&component.couriers).map_err(failed)?;
            let place = (found.interface.name.as_str(), found.method.name.as_str());
            let result = match line.outcome {
                Outcome::Fails(case) => Err(error(case)
                    .ok_or_else(|| DoubleError::Case { line: answer.line.clone(), case: case.to_owned() })?),
                _ => Ok(line.response(found.types).map_err(failed)?),
            };
            answers.push(Answer {
                line: answer.line.clone(),
                method: places
                    .iter()
                    .position(|known| *known == place)
                    .expect("the plan has all methods of the component"),
                arguments: line.argument_patterns(found.types).map_err(failed)?,
                result,
                times: answer.times,
            });
        }
        Ok(Self { methods, answers })
    }

    /// The place of the answer to a call, and the call as text. `used` counts the calls that each answer was for.
    fn find(&self, method: usize, request: &[u8], used: &[u32]) -> (Option<usize>, String) {
        let Some(Method { name, types: Some(types) }) = self.methods.get(method) else {
            return (None, "a method whose types are not known".to_owned());
        };
        let Ok(arguments) = decode_arguments(&types.params, request) else {
            return (None, format!("{name} with a request that is none of it"));
        };
        let fits = |answer: &Answer, used: u32| {
            let mut pairs = answer.arguments.iter().zip(types.params.iter().zip(&arguments));
            answer.method == method
                && answer.times.is_none_or(|times| used < times)
                && pairs.all(|(pattern, (param, value))| pattern.matches(&param.ty, value))
        };
        let found = self.answers.iter().zip(used).position(|(answer, used)| fits(answer, *used));
        (found, format!("{name}({})", show_arguments(&types.params, &arguments)))
    }

    /// The answers that were not used as often as they must be.
    fn missing(&self, used: &[u32]) -> Option<String> {
        let missing = self.answers.iter().zip(used).filter_map(|(answer, used)| {
            let times = answer.times.filter(|times| times != used)?;
            Some(format!("`{}` answered {used} calls of {times}", answer.line))
        });
        let missing: Vec<_> = missing.collect();
        (!missing.is_empty()).then(|| missing.join(", "))
    }
}

/// The call error of that name; one with a message says that the double made it.
fn error(case: &str) -> Option<CallError> {
    let all = [
        CallError::Unavailable,
        CallError::DeadlineExceeded,
        CallError::Cancelled,
        CallError::Denied,
        CallError::Overloaded,
        CallError::TooLarge,
        CallError::Failed("the double says so".to_owned()),
    ];
    all.into_iter().find(|error| CallError::CASES[error.case()] == case)
}

/// One life of a replica: until its mailbox is closed, or a call comes that no answer is for. Each call is a line on its
/// stdout.
pub(super) async fn live(
    double: &Double,
    spec: &ReplicaSpec,
    mailbox: &Mailbox,
    report: impl Fn(Change) + Send + Sync,
) -> Ended {
    mailbox.open();
    report(Change::Started);
    let mut used = vec![0; double.answers.len()];
    while let Some(call) = poll_fn(|cx| mailbox.poll_next(cx)).await {
        let (method, request, _, answering) = call.split();
        let (found, shown) = double.find(method, &request.to_vec(), &used);
        let Some(place) = found else {
            mailbox.answer(answering, Err(mailbox.failed()));
            return failed(format!("no answer is left for the call `{shown}`"));
        };
        used[place] += 1;
        let answer = &double.answers[place];
        spec.sink.line(LineSource::Stdout, format!("{shown} by `{}`", answer.line).as_bytes());
        mailbox.answer(answering, answer.result.clone().map(|response| Message::from(&response[..])));
    }
    match double.missing(&used) {
        Some(missing) => failed(missing),
        None => Ended { failure: None, exited: false, memory_peak: 0 },
    }
}

fn failed(summary: String) -> Ended {
    Ended { failure: Some(Failure { summary, stack: None }), exited: false, memory_peak: 0 }
}
