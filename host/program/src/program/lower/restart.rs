//! Lowers restart policies and the colocations that may share one.

use lp_base::words::Restart;
use toml::Spanned;

use super::Lowering;
use crate::program::Colocation;
use crate::program::file::{ColocationFile, RestartFile, RestartTable};
use crate::program::source::{ColocationPlace, Place, RestartPlace};

impl Lowering<'_> {
    /// A restart policy whose facts stand at the places that `place` gives.
    pub(super) fn restart(&mut self, file: Spanned<RestartFile>, place: impl Fn(RestartPlace) -> Place) -> Restart {
        let whole = Restart::default();
        let RestartTable { policy, max, window, backoff, backoff_max } =
            match self.take(place(RestartPlace::Whole), file) {
                RestartFile::Policy(policy) => return Restart { policy, ..whole },
                RestartFile::Table(table) => table,
            };
        let mut time = |text: Option<_>, at: RestartPlace, default| {
            let text = text.map(|text| self.take(place(at), text));
            text.and_then(|text| self.duration(&text, place(at))).unwrap_or(default)
        };
        Restart {
            policy,
            window: time(window, RestartPlace::Window, whole.window),
            backoff: time(backoff, RestartPlace::Backoff, whole.backoff),
            backoff_max: time(backoff_max, RestartPlace::BackoffMax, whole.backoff_max),
            max: max.map_or(whole.max, |max| self.count(place(RestartPlace::Max), &max)),
        }
    }

    pub(super) fn colocation(&mut self, name: Spanned<String>, file: ColocationFile) -> Colocation {
        let name_span = name.span();
        let name = name.into_inner();
        let at = |place| Place::Colocation(name.clone(), place);
        self.source.place(at(ColocationPlace::Name), name_span);
        let nodes = (0..).zip(file.nodes).map(|(index, node)| self.take(at(ColocationPlace::Node(index)), node));
        Colocation {
            nodes: nodes.collect(),
            mode: file.mode,
            return_on_first_completed: file.return_on_first_completed,
            restart: file.restart.map(|restart| self.restart(restart, |place| at(ColocationPlace::Restart(place)))),
            name: name.clone(),
        }
    }
}
