//! What a program and each of its nodes may do, in lines for people.

mod replay;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use lp_base::words::{Access, Admission, Clock, Hardening, Limit, Random, Sandbox, SecretSource, format_bytes};
use lp_program::program::{Node, Program};

pub(super) use replay::{handle_to_json, replay_to_json};

use super::grave::{self, BUILD};
use super::{access_name, hardening_name, total_memory, total_replicas};

/// The things of one kind.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) lines: Vec<Line>,
}

/// One thing.
pub(super) struct Line {
    pub(super) text: String,
    /// Why it reaches far, if it does.
    pub(super) grave: Option<&'static str>,
}

impl Line {
    fn plain(text: impl ToString) -> Line {
        Line { text: text.to_string(), grave: None }
    }
}

fn row(what: &'static str, lines: impl IntoIterator<Item = Line>) -> Row {
    Row { what, lines: lines.into_iter().collect() }
}

fn plain<T: ToString>(what: &'static str, texts: impl IntoIterator<Item = T>) -> Row {
    row(what, texts.into_iter().map(Line::plain))
}

/// What holds for all nodes together.
pub(super) fn program_rows(program: &Program) -> Vec<Row> {
    let off = (program.hardening == Hardening::Off).then_some("worker processes have no walls");
    vec![
        row("hardening", [Line { text: hardening_name(program.hardening).to_owned(), grave: off }]),
        plain("replicas", [format!("{} in all", total_replicas(program))]),
        plain("memory", [format!("{} in all", format_bytes(total_memory(program)))]),
    ]
}

/// What a node may do, whose handles are held by `callers`.
pub(super) fn node_rows(program: &Program, node: &Node, callers: &[&str]) -> Vec<Row> {
    if let Some(replay) = &node.replay {
        return replay::rows(program, node, replay, callers);
    }
    let sandbox = &node.sandbox;
    let pinned = if node.sha256.is_some() { "pinned" } else { "not pinned: no `sha256`" };
    let component = format!("{} ({pinned})", Place::of(program, &node.component).shown);
    let handles = node.handles.iter().map(|handle| replay::handle(program, handle));
    vec![
        plain("component", [component]),
        row("build", node.build.iter().map(|build| Line { text: build.clone(), grave: Some(BUILD) })),
        plain("replicas", [node.replicas]),
        plain("args", node.args.iter().map(|arg| format!("{arg:?}"))),
        plain("handles", handles),
        plain("callers", callers),
        row("listen", node.listen.map(listen)),
        plain("clients", clients(program, node)),
        plain("limits", limits(program, node)),
        row("dirs", sandbox.dirs.iter().map(|dir| path(program, &dir.host, &dir.guest, dir.access))),
        row("files", sandbox.files.iter().map(|file| path(program, &file.host, &file.guest, file.access))),
        row("env", env(node)),
        plain("config", node.config.keys()),
        row("secrets", secrets(program, sandbox)),
        row(
            "network",
            sandbox.network.iter().map(|grant| {
                let grave = grant.is_any_host().then_some("anywhere");
                Line { text: grant.to_string(), grave }
            }),
        ),
        row(
            "http",
            sandbox.http.iter().map(|grant| {
                let grave = grant.is_any_host().then_some("any server");
                Line { text: grant.to_string(), grave }
            }),
        ),
        plain("http-ca", sandbox.http_ca.iter().map(|path| Place::of(program, path).shown)),
        plain("clock", [clock(sandbox.clock)]),
        plain("random", [random(sandbox.random)]),
    ]
}

fn listen(address: SocketAddr) -> Line {
    let grave = (!address.ip().to_canonical().is_loopback()).then_some("other machines can call it");
    Line { text: address.to_string(), grave }
}

/// Who is let in where the node listens.
pub(super) fn clients(program: &Program, node: &Node) -> Vec<String> {
    let Admission { certificate, client_ca, token, .. } = &node.admission;
    let encrypted = certificate.as_ref().map(|path| format!("encrypted, by {}", Place::of(program, path).shown));
    let known = client_ca.as_ref().map(|path| format!("with a certificate of {}", Place::of(program, path).shown));
    let token = token.as_ref().map(|source| match source {
        SecretSource::File(path) => format!("with a token (of the file {})", Place::of(program, path).shown),
        SecretSource::Env(variable) => format!("with a token (of the variable {variable})"),
    });
    let anybody = (node.listen.is_some() && known.is_none() && token.is_none()).then(|| "anybody".to_owned());
    let in_clear = (node.listen.is_some() && encrypted.is_none()).then(|| "not encrypted".to_owned());
    [anybody, known, token, encrypted, in_clear].into_iter().flatten().collect()
}

/// The memory, and what else is not as it is for a node of a program that says nothing of limits.
fn limits(program: &Program, node: &Node) -> Vec<String> {
    let shown = Limit::ALL.into_iter().filter_map(|limit| {
        let value = program.limit(node, limit)?;
        let is_default = Some(value) == limit.default();
        let name = limit.key();
        let default = if is_default { " (default)" } else { "" };
        (limit == Limit::Memory || !is_default).then(|| format!("{name}: {}{default}", limit.show(value)))
    });
    shown.collect()
}

/// A path of this machine: where it really is, and what to call it.
struct Place {
    /// With links and `..` followed; `None` if nothing is there.
    real: Option<PathBuf>,
    shown: String,
}

impl Place {
    fn of(program: &Program, path: &Path) -> Place {
        let real = std::fs::canonicalize(path).ok();
        let dir = std::fs::canonicalize(&program.dir).unwrap_or_else(|_| program.dir.clone());
        let shown = match real.as_deref().map(|real| real.strip_prefix(&dir).unwrap_or(real)) {
            None => format!("{} (missing)", program.shown(path)),
            Some(path) if path.as_os_str().is_empty() => ".".to_owned(),
            Some(path) => path.display().to_string(),
        };
        Place { real, shown }
    }

    fn grave(&self, program: &Program, access: Access) -> Option<&'static str> {
        grave::path(self.real.as_deref()?, access, &program.dir)
    }
}

fn path(program: &Program, host: &Path, guest: &str, access: Access) -> Line {
    let place = Place::of(program, host);
    let grave = place.grave(program, access);
    Line { text: format!("{guest} ({}): {}", access_name(access), place.shown), grave }
}

fn env(node: &Node) -> Vec<Line> {
    let set = node.env.keys().map(Line::plain);
    let inherited = node.sandbox.inherit_env.iter();
    let inherited = inherited.map(|name| Line { text: format!("{name} (inherited)"), grave: Some(grave::VARIABLE) });
    set.chain(inherited).collect()
}

fn secrets(program: &Program, sandbox: &Sandbox) -> Vec<Line> {
    let secret = |(name, source): (&String, &SecretSource)| match source {
        SecretSource::File(path) => {
            let place = Place::of(program, path);
            let grave = place.grave(program, Access::Read);
            Line { text: format!("{name} (of the file {})", place.shown), grave }
        }
        SecretSource::Env(variable) => {
            Line { text: format!("{name} (of the variable {variable})"), grave: Some(grave::VARIABLE) }
        }
    };
    sandbox.secrets.iter().map(secret).collect()
}

fn clock(clock: Clock) -> String {
    match clock {
        Clock::Real => "real (default)".to_owned(),
        Clock::Fixed(start) => format!("fixed at {start}"),
    }
}

fn random(random: Random) -> String {
    match random {
        Random::Real => "real (default)".to_owned(),
        Random::Seed(seed) => format!("of the seed {seed}"),
    }
}
