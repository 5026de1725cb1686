//! Lowers the policy of an operator.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::Spanned;

use super::Lowering;
use crate::program::file::{AllowFile, RequireFile, TotalFile};
use crate::program::policy::Policy;
use crate::program::problem::Problem;

impl Lowering<'_> {
    /// The policy of a file in `dir`.
    pub(super) fn policy(&mut self, allow: AllowFile, require: RequireFile, total: TotalFile, dir: &Path) -> Policy {
        Policy {
            dirs: allow.dirs.map(|dirs| self.roots(dirs, dir)),
            writable_dirs: allow.writable_dirs.map(|dirs| self.roots(dirs, dir)),
            network: allow.network.map(|grants| self.allowed(grants, "bad-network", "`tcp-connect:10.0.0.0/8:*`")),
            http: allow.http.map(|grants| self.allowed(grants, "bad-http", "`https://*.example.org`")),
            listen: allow.listen.map(|grants| self.allowed(grants, "bad-address", "`127.0.0.1:*`")),
            inherit_env: allow.inherit_env,
            forbids_secrets: allow.secrets == Some(false),
            forbids_build: allow.build == Some(false),
            requires_sha256: require.sha256,
            requires_hardening: require.hardening,
            replicas_max: total.replicas,
            memory_bytes_max: total.memory.and_then(|memory| self.total_memory(&memory)),
        }
    }

    /// The directories that exist, with their links followed; the others are reported, because a mistyped one would
    /// forbid everything.
    fn roots(&mut self, texts: Vec<Spanned<String>>, dir: &Path) -> Vec<PathBuf> {
        let mut roots = Vec::new();
        for text in texts {
            match std::fs::canonicalize(dir.join(text.get_ref())).ok().filter(|path| path.is_dir()) {
                Some(root) => roots.push(root),
                None => {
                    let message = format!("`{}` is not a directory of this machine", text.get_ref());
                    self.problems
                        .push(Problem::error("missing-dir", message).at(Some(text.span()), "no such directory"));
                }
            }
        }
        roots
    }

    fn allowed<G: FromStr<Err: Display>>(
        &mut self,
        texts: Vec<Spanned<String>>,
        code: &'static str,
        example: &str,
    ) -> Vec<G> {
        let mut grants = Vec::new();
        for text in texts {
            match text.get_ref().parse() {
                Ok(grant) => grants.push(grant),
                Err(error) => {
                    let problem = Problem::error(code, format!("`{}` allows nothing: {error}", text.get_ref()));
                    let problem = problem.at(Some(text.span()), "not understood");
                    self.problems.push(problem.help(format!("write it such as {example}")));
                }
            }
        }
        grants
    }

    fn total_memory(&mut self, text: &Spanned<lp_base::words::SizeText>) -> Option<u64> {
        let bytes = text.get_ref().bytes();
        if bytes.is_none() {
            let problem = Problem::error("bad-size", format!("`{}` is not a size", text.get_ref()));
            let problem = problem.at(Some(text.span()), "a whole number and a unit");
            self.problems.push(problem.help("the units are `B`, `KiB`, `MiB` and `GiB`, as in `64MiB`".to_owned()));
        }
        bytes
    }
}
