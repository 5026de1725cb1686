//! Lowers limits: of a node from the two places that may give them, and ceilings.

use lp_base::words::{Limit, Limits, SizeText};
use toml::Spanned;

use super::{Lowering, NodeLowering};
use crate::program::file::{InboxFile, LimitText, LimitsFile};
use crate::program::problem::Problem;
use crate::program::source::{NodePlace, Place};

impl Lowering<'_> {
    /// The limits that `given` gives, each at the place that `place` gives.
    pub(super) fn limits(
        &mut self,
        given: impl IntoIterator<Item = (Limit, Spanned<LimitText>)>,
        place: impl Fn(Limit) -> Place,
    ) -> Limits {
        let mut limits = Limits::default();
        for (limit, text) in given {
            let place = place(limit);
            let value = match self.take(place.clone(), text) {
                LimitText::Size(text) => self.size(&text, place),
                LimitText::Duration(text) => self.duration(&text, place).map(millis),
                // What is below every range is out of it, and reported by `check`.
                LimitText::Count(count) => Some(u64::try_from(count).unwrap_or(0)),
            };
            if let Some(value) = value {
                limits.set(limit, value);
            }
        }
        limits
    }
}

impl NodeLowering<'_, '_> {
    /// The node's limits: those of its `limits`, and those that `sandbox.memory` and `inbox` spell in their own way.
    pub(super) fn limits(&mut self, file: LimitsFile, memory: Option<Spanned<SizeText>>, inbox: InboxFile) -> Limits {
        let node = self.node;
        let place = |limit| Place::Node(node.to_owned(), NodePlace::Limit(limit));
        let mut limits = self.lowering.limits(file, place);
        let given = limits;
        let memory = memory.map(|size| (Limit::Memory, LimitText::spanned(size, LimitText::Size)));
        let counts = [
            (Limit::CallsQueued, inbox.queued_max),
            (Limit::CallsConcurrent, inbox.concurrent_max),
            (Limit::CallsPerConnection, inbox.in_flight_per_connection),
        ];
        let counts =
            counts.into_iter().filter_map(|(limit, count)| Some((limit, LimitText::spanned(count?, LimitText::Count))));
        let others = memory.into_iter().chain(counts);
        for (limit, value) in self.lowering.limits(others, place).iter() {
            if given.get(limit).is_some() {
                let problem = Problem::error("limit-twice", format!("`{limit}` of `{node}` is given in two places"));
                let problem = problem.at(self.lowering.source.span(&place(limit)), "also given in `limits`");
                self.lowering.problems.push_node(node, problem.help("leave out one of them".to_owned()));
            }
            limits.set(limit, value);
        }
        limits
    }
}

/// Whole milliseconds; what is longer than half a billion years is as good as that.
fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
