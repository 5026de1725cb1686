//! The rules of replay nodes, and of handles of them.

use std::collections::BTreeSet;
use std::path::Path;

use super::NodeCheck;
use crate::program::Handle;
use crate::program::problem::Problem;
use crate::program::source::NodePlace;

impl NodeCheck<'_> {
    pub(super) fn replay(&mut self) {
        let Some(replay) = &self.node.replay else { return };
        let mut names = BTreeSet::new();
        for (index, table) in replay.tables.iter().enumerate() {
            let span = self.span(NodePlace::Table(index, "name"));
            if table.name.chars().any(char::is_control) {
                let problem = Problem::error("bad-table", "the name of a table has no control characters");
                self.report([problem.at(span, "not a name")]);
            } else if !table.name.is_empty() && !names.insert(&table.name) {
                let message = format!("two tables of `{}` are named `{}`", self.node.name, table.name);
                self.report([Problem::error("duplicate-name", message).at(span, "named before")]);
            }
        }
        self.sharded();
        self.checkpoint();
    }

    /// Clients of Reverb know nothing of shards: each would see one of them, by chance. And they speak plain text.
    fn sharded(&mut self) {
        if self.node.listen.is_some() && self.node.replicas > 1 {
            let message =
                format!("`{}` has several replicas, of which a client at one address would see one", self.node.name);
            let problem = Problem::error("sharded-replay", message).at(self.span(NodePlace::Listen), "one address");
            self.report([problem.help("remove `listen`, or give it a single replica".to_owned())]);
        }
        let admission = &self.node.admission;
        if admission.certificate.is_some() || admission.token.is_some() {
            let problem = Problem::error("bad-listen", "clients of Reverb have neither certificates nor tokens");
            let help = "write the address alone, at best one of this machine".to_owned();
            self.report([problem.at(self.span(NodePlace::Listen), "nobody could get in").help(help)]);
        }
    }

    fn checkpoint(&mut self) {
        let node = self.node;
        let Some(checkpoint) = node.replay.as_ref().and_then(|replay| replay.checkpoint.as_ref()) else { return };
        let same = |other: &&super::Node| {
            let replay = other.replay.as_ref();
            let dir = replay.and_then(|replay| replay.checkpoint.as_ref()).map(|checkpoint| checkpoint.dir.as_path());
            dir == Some(checkpoint.dir.as_path())
        };
        let first = self.program.nodes.iter().find(same).map(|first| first.name.clone());
        if let Some(first) = first.filter(|first| *first != node.name) {
            let message = format!("`{first}` and `{}` have one folder for their checkpoints", node.name);
            let problem = Problem::error("bad-checkpoint", message);
            let problem = problem.at(self.span(NodePlace::Checkpoint), "of another node");
            self.report([problem.help("give each a folder of its own".to_owned())]);
        }
        if checkpoint.dir.exists() && !checkpoint.dir.is_dir() {
            let message = format!("`{}` is not a folder", self.program.shown(&checkpoint.dir));
            let problem = Problem::error("bad-checkpoint", message);
            self.report([problem.at(self.span(NodePlace::Checkpoint), "checkpoints are folders in it")]);
        }
        if let Some(fallback) = checkpoint.fallback.as_deref().filter(|fallback| !Path::is_dir(fallback)) {
            let message = format!("`{}` is not a folder that is there", self.program.shown(fallback));
            let problem = Problem::error("bad-checkpoint", message);
            let help = "correct the path, or remove `fallback`".to_owned();
            self.report([problem.at(self.span(NodePlace::Fallback), "nothing to load from").help(help)]);
        }
    }

    /// What a handle lets its node do is said of replay nodes alone.
    pub(super) fn access(&mut self, handle: &Handle) {
        let span = self.span(NodePlace::HandleAccess(handle.name.clone()));
        let is_replay = |name: &String| {
            let node = self.nodes.get(name.as_str()).map(|&index| &self.program.nodes[index]);
            node.is_none_or(|node| node.replay.is_some())
        };
        if span.is_none() || handle.nodes.iter().any(is_replay) {
            return;
        }
        let problem = Problem::error("wrong-kind", format!("the handle `{}` is of no replay node", handle.name));
        let help = "remove `access`: a handle of a component gives all its interfaces".to_owned();
        self.report([problem.at(span, "for replay nodes").help(help)]);
    }
}
