//! The rules of limits: each is within what can be kept, and no node asks for more than its ceilings.

use lp_base::words::{Limit, Limits};

use super::NodeCheck;
use crate::program::Program;
use crate::program::problem::{Problem, Problems};
use crate::program::source::{Ceilings, NodePlace, Place};

/// Checks the ceilings themselves, and `message-max` against them.
pub(super) fn check(program: &Program, problems: &mut Problems) {
    for (whose, ceilings) in [(Ceilings::Program, &program.ceilings), (Ceilings::Operator, &program.operator_ceilings)]
    {
        let at = |limit| program.source.span(&Place::Ceiling(whose, limit));
        let wrong: Vec<_> =
            ceilings.iter().filter_map(|(limit, value)| Some((limit, out_of_range(limit, value)?))).collect();
        wrong.into_iter().for_each(|(limit, problem)| problems.push(problem.at(at(limit), "out of range")));
    }
    let at = || program.source.span(&Place::MessageMax);
    if !Limit::Message.range().contains(&program.message_bytes_max) {
        let problem = Problem::error("limit", format!("`message-max` must be {}", Limit::Message.show_range()));
        problems.push(problem.at(at(), "out of range"));
    } else if program.source.span(&Place::MessageMax).is_some()
        && let Some(problem) = exceeded(program, "`message-max`", Limit::Message, program.message_bytes_max)
    {
        problems.push(problem.at(at(), "above the ceiling"));
    }
}

impl NodeCheck<'_> {
    pub(super) fn limits(&mut self) {
        let limits: Limits = self.node.limits;
        for (limit, value) in limits.iter() {
            let whose = format!("`{limit}` of `{}`", self.node.name);
            if let Some(problem) = out_of_range(limit, value) {
                self.report([problem.at(self.span(NodePlace::Limit(limit)), "out of range")]);
            } else if let Some(problem) = exceeded(self.program, &whose, limit, value) {
                self.report([problem.at(self.span(NodePlace::Limit(limit)), "above the ceiling")]);
            } else if limit == Limit::Message && value > self.program.message_bytes_max {
                let max = limit.show(self.program.message_bytes_max);
                let message = format!("{whose} is {}, but the program's `message-max` is {max}", limit.show(value));
                let problem = Problem::error("over-ceiling", message).help(format!("ask for at most {max}"));
                self.report([problem.at(self.span(NodePlace::Limit(limit)), "above the ceiling")]);
            }
        }
    }
}

fn out_of_range(limit: Limit, value: u64) -> Option<Problem> {
    let is_in_range = limit.range().contains(&value);
    (!is_in_range).then(|| Problem::error("limit", format!("`{limit}` must be {}", limit.show_range())))
}

/// What is wrong with `what`, which asks for `value`, by the lower one of the ceilings.
fn exceeded(program: &Program, what: &str, limit: Limit, value: u64) -> Option<Problem> {
    let of = |whose, ceilings: &Limits| Some((ceilings.get(limit).filter(|ceiling| *ceiling < value)?, whose));
    let program_ceiling = of("the program's `[limits]`", &program.ceilings);
    let operator_ceiling = of("the operator's limits", &program.operator_ceilings);
    let (ceiling, whose) = program_ceiling.into_iter().chain(operator_ceiling).min()?;
    let (value, ceiling) = (limit.show(value), limit.show(ceiling));
    let problem = Problem::error("over-ceiling", format!("{what} is {value}, but {whose} allow {ceiling}"));
    Some(problem.help(format!("ask for at most {ceiling}")))
}
