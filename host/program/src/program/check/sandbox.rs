//! The rules of what a sandbox grants: it exists, and no two grants are at the same place or of the same name.

use std::collections::BTreeSet;
use std::path::Path;

use super::{ENV_NAME_RULE, NodeCheck, is_config_key, is_env_name};
use crate::program::problem::Problem;
use crate::program::source::NodePlace;

impl NodeCheck<'_> {
    pub(super) fn sandbox(&mut self) {
        self.dirs();
        self.files();
        self.http_ca();
        self.inherit_env();
        self.secrets();
    }

    fn dirs(&mut self) {
        let mut guests = BTreeSet::new();
        for (index, dir) in self.node.sandbox.dirs.iter().enumerate() {
            if !self.program.elsewhere && !dir.host.is_dir() {
                let shown = self.program.shown(&dir.host);
                let problem = Problem::error("missing-dir", format!("`{shown}` is not a directory of this machine"));
                self.report([problem.at(self.span(NodePlace::DirHost(index)), "no such directory")]);
            }
            let place = NodePlace::DirGuest(index);
            if self.is_guest_path(&dir.guest, place.clone(), "/data") && !guests.insert(&dir.guest) {
                let message = format!("two directories of `{}` appear as `{}`", self.node.name, dir.guest);
                let problem = Problem::error("duplicate-dir", message);
                self.report([problem.at(self.span(place), "taken by another directory")]);
            }
        }
    }

    fn files(&mut self) {
        let mut guests = BTreeSet::new();
        for (index, file) in self.node.sandbox.files.iter().enumerate() {
            if !self.program.elsewhere {
                self.is_file(&file.host, NodePlace::FileHost(index));
            }
            let place = NodePlace::FileGuest(index);
            if !self.is_guest_path(&file.guest, place.clone(), "/models/model.bin") {
                continue;
            }
            let (dir, name) = file.guest.rsplit_once('/').expect("an absolute path has a `/`");
            let dir = if dir.is_empty() { "/" } else { dir };
            let message = if name.is_empty() {
                "`/` can't be a file".to_owned()
            } else if self.node.sandbox.dirs.iter().any(|other| other.guest == dir) {
                // A guest looks a path up in one of the places that it begins with, never in two.
                format!("`{dir}` is a granted directory of `{}`, which no other file can be in", self.node.name)
            } else if !guests.insert(&file.guest) {
                format!("two files of `{}` appear as `{}`", self.node.name, file.guest)
            } else {
                continue;
            };
            let problem = Problem::error("duplicate-dir", message).at(self.span(place), "taken");
            self.report([problem.help("give the file a directory of its own, such as `/files`".to_owned())]);
        }
    }

    fn http_ca(&mut self) {
        if let Some(path) = &self.node.sandbox.http_ca {
            self.is_file(path, NodePlace::HttpCa);
        }
    }

    pub(super) fn is_file(&mut self, path: &Path, place: NodePlace) {
        if !path.is_file() {
            let shown = self.program.shown(path);
            let problem = Problem::error("missing-file", format!("`{shown}` is not a file of this machine"));
            self.report([problem.at(self.span(place), "no such file")]);
        }
    }

    /// Whether a path is absolute and plain, so that equal paths have equal texts.
    fn is_guest_path(&mut self, path: &str, place: NodePlace, example: &str) -> bool {
        let inner = path.strip_prefix('/').filter(|_| !path.contains('\0'));
        let is_plain = |inner: &str| inner.is_empty() || inner.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if inner.is_some_and(is_plain) {
            return true;
        }
        let problem = Problem::error("guest-dir", format!("`{path}` is not an absolute path"));
        let help = format!("write it from the root, without `.` and `..`, such as `{example}`");
        self.report([problem.at(self.span(place), "where the guest sees it").help(help)]);
        false
    }

    fn inherit_env(&mut self) {
        let mut names = BTreeSet::new();
        for (index, name) in self.node.sandbox.inherit_env.iter().enumerate() {
            let span = self.span(NodePlace::InheritEnv(index));
            if !is_env_name(name) {
                self.report([Problem::error("bad-env", ENV_NAME_RULE).at(span, "no such variable can be inherited")]);
            } else if self.node.env.contains_key(name) || !names.insert(name) {
                let message = format!("`{}` is given the environment variable `{name}` twice", self.node.name);
                let help = "either set it in `env` or inherit it".to_owned();
                self.report([Problem::error("duplicate-name", message).at(span, "given elsewhere").help(help)]);
            }
        }
    }

    fn secrets(&mut self) {
        for name in self.node.sandbox.secrets.keys() {
            let span = self.span(NodePlace::Secret(name.clone()));
            if !is_config_key(name) {
                let problem = Problem::error("bad-config", "a config key needs text without control characters");
                self.report([problem.at(span, "not a key")]);
            } else if self.node.config.contains_key(name) {
                let message = format!("`{}` has a config value and a secret named `{name}`", self.node.name);
                let help = "the guest reads both by the same interface, so give them different names".to_owned();
                self.report([Problem::error("duplicate-name", message).at(span, "given in `config` too").help(help)]);
            }
        }
    }
}
