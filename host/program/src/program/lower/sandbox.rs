//! Lowers what a program file says of the sandbox of a node.

use std::fmt::Display;
use std::str::FromStr;

use lp_base::words::{Clock, PathGrant, Random, Sandbox, SecretSource};
use toml::Spanned;

use super::NodeLowering;
use crate::program::file::{ClockFile, PathFile, RandomFile, SandboxFile, SecretFile};
use crate::program::problem::Problem;
use crate::program::source::NodePlace;

impl NodeLowering<'_, '_> {
    pub(super) fn sandbox(&mut self, file: SandboxFile) -> Sandbox {
        let secrets = file.secrets.into_iter().filter_map(|(name, secret)| {
            let secret = self.secret(&name, secret)?;
            Some((name.into_inner(), secret))
        });
        Sandbox {
            secrets: secrets.collect(),
            dirs: (0..)
                .zip(file.dirs)
                .map(|(index, dir)| self.path(NodePlace::DirHost(index), NodePlace::DirGuest(index), dir))
                .collect(),
            files: (0..)
                .zip(file.files)
                .map(|(index, file)| self.path(NodePlace::FileHost(index), NodePlace::FileGuest(index), file))
                .collect(),
            inherit_env: (0..)
                .zip(file.inherit_env)
                .map(|(index, name)| self.take(NodePlace::InheritEnv(index), name))
                .collect(),
            network: self.grants(
                file.network,
                "bad-network",
                NodePlace::Network,
                "such as `tcp-connect:127.0.0.1:8000`",
            ),
            http: self.grants(file.http, "bad-http", NodePlace::Http, "such as `https://api.example.org`"),
            http_ca: file.http_ca.map(|path| self.take(NodePlace::HttpCa, path).into()),
            clock: match file.clock {
                ClockFile::Real => Clock::Real,
                ClockFile::Table(table) => self.fixed(&table.fixed),
            },
            random: match file.random {
                RandomFile::Real => Random::Real,
                RandomFile::Table(table) => Random::Seed(table.seed),
            },
        }
    }

    fn path(&mut self, host: NodePlace, guest: NodePlace, file: PathFile) -> PathGrant {
        PathGrant { host: self.take(host, file.host).into(), guest: self.take(guest, file.guest), access: file.access }
    }

    fn secret(&mut self, name: &Spanned<String>, secret: Spanned<SecretFile>) -> Option<SecretSource> {
        self.place(NodePlace::Secret(name.get_ref().clone()), name.span());
        let span = secret.span();
        match secret.into_inner() {
            SecretFile { file: Some(file), env: None } => Some(SecretSource::File(file.into())),
            SecretFile { file: None, env: Some(name) } => Some(SecretSource::Env(name)),
            _ => {
                let message = format!("the secret `{}` needs either `file` or `env`", name.get_ref());
                let problem = Problem::error("bad-secret", message).at(Some(span), "where its value is");
                let help = "write `{ file = \"…\" }` or `{ env = \"…\" }`; a value does not belong here".to_owned();
                self.lowering.problems.push_node(self.node, problem.help(help));
                None
            }
        }
    }

    /// The grants that can be read; the others are reported.
    fn grants<G: FromStr<Err: Display>>(
        &mut self,
        texts: Vec<Spanned<String>>,
        code: &'static str,
        place: fn(usize) -> NodePlace,
        example: &str,
    ) -> Vec<G> {
        let mut grants = Vec::new();
        for (index, text) in texts.into_iter().enumerate() {
            let span = text.span();
            let text = self.take(place(index), text);
            match text.parse() {
                Ok(grant) => grants.push(grant),
                Err(error) => {
                    let problem = Problem::error(code, format!("`{text}` grants nothing: {error}"));
                    let problem = problem.at(Some(span), "not a grant").help(format!("write it {example}"));
                    self.lowering.problems.push_node(self.node, problem);
                }
            }
        }
        grants
    }

    fn fixed(&mut self, text: &Spanned<String>) -> Clock {
        text.get_ref().parse().map_or_else(
            |error| {
                let problem =
                    Problem::error("bad-time", format!("`{}` can't be shown by a clock: {error}", text.get_ref()));
                let problem = problem.at(Some(text.span()), "not a time");
                let help = "write it such as `2026-01-01T00:00:00Z`".to_owned();
                self.lowering.problems.push_node(self.node, problem.help(help));
                Clock::Real
            },
            Clock::Fixed,
        )
    }
}
