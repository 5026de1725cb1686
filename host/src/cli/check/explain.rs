//! What each node of a program may touch, for whoever has to approve it: as a table and as JSON.

use std::collections::BTreeMap;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use lp_base::shown;
use lp_base::words::{Access, Admission, Clock, Limit, Random, SecretSource};
use lp_program::program::{Node, Program};
use serde_json::{Value, json};

/// The width of the table: that of a terminal, and of a comment in a review.
const COLUMNS: u16 = 80;

/// All that the nodes may use, a line for each thing, with the defaults where nothing is granted.
pub(super) fn table(program: &Program) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(COLUMNS);
    table.set_header(["node", "may use", "which"]);
    for node in &program.nodes {
        let mut name = node.name.as_str();
        for (what, which) in rows(program, node) {
            // Whoever wrote the program file chose the words, and may not have meant well.
            let which: Vec<_> = which.iter().map(|which| shown::line(which)).collect();
            let which = if which.is_empty() { "none".to_owned() } else { which.join("\n") };
            table.add_row([name, what, &which]);
            name = "";
        }
    }
    table.trim_fmt()
}

/// The things that a node may use, each with a line for everything of its kind.
fn rows(program: &Program, node: &Node) -> Vec<(&'static str, Vec<String>)> {
    let sandbox = &node.sandbox;
    let handles = node.handles.iter().map(|handle| format!("{}: {}", handle.name, handle.nodes.join(", ")));
    let place = |host, guest: &str, access| format!("{guest} ({}): {}", access_name(access), program.shown(host));
    let inherited = sandbox.inherit_env.iter().map(|name| format!("{name} (inherited)"));
    vec![
        ("handles", handles.collect()),
        ("callers", callers(program, node).map(|caller| caller.name.clone()).collect()),
        ("listen", node.listen.iter().map(ToString::to_string).collect()),
        ("clients", clients(program, node)),
        ("limits", limits(program, node)),
        ("dirs", sandbox.dirs.iter().map(|dir| place(&dir.host, &dir.guest, dir.access)).collect()),
        ("files", sandbox.files.iter().map(|file| place(&file.host, &file.guest, file.access)).collect()),
        ("env", node.env.keys().cloned().chain(inherited).collect()),
        ("config", node.config.keys().cloned().collect()),
        (
            "secrets",
            sandbox.secrets.iter().map(|(name, source)| format!("{name} ({})", secret(program, source))).collect(),
        ),
        ("network", sandbox.network.iter().map(ToString::to_string).collect()),
        ("http", sandbox.http.iter().map(ToString::to_string).collect()),
        ("http-ca", sandbox.http_ca.iter().map(|path| program.shown(path).to_string()).collect()),
        ("clock", vec![clock(sandbox.clock)]),
        ("random", vec![random(sandbox.random)]),
    ]
}

/// Who is let in where the node listens.
fn clients(program: &Program, node: &Node) -> Vec<String> {
    let Admission { certificate, client_ca, token, .. } = &node.admission;
    let encrypted = certificate.as_ref().map(|path| format!("encrypted, by {}", program.shown(path)));
    let known = client_ca.as_ref().map(|path| format!("with a certificate of {}", program.shown(path)));
    let token = token.as_ref().map(|source| format!("with a token ({})", secret(program, source)));
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

/// The nodes that hold a handle of `node`.
fn callers<'a>(program: &'a Program, node: &'a Node) -> impl Iterator<Item = &'a Node> {
    let holds = |caller: &&Node| caller.handles.iter().any(|handle| handle.nodes.contains(&node.name));
    program.nodes.iter().filter(holds)
}

fn access_name(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::ReadWrite => "read-write",
    }
}

fn secret(program: &Program, source: &SecretSource) -> String {
    match source {
        SecretSource::File(path) => format!("of the file {}", program.shown(path)),
        SecretSource::Env(name) => format!("of the variable {name}"),
    }
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

/// The same as JSON, an object for each node.
pub(super) fn to_json(program: &Program) -> Vec<Value> {
    program.nodes.iter().map(|node| node_to_json(program, node)).collect()
}

fn node_to_json(program: &Program, node: &Node) -> Value {
    let sandbox = &node.sandbox;
    let place = |host, guest: &str, access| json!({ "host": program.shown(host).to_string(), "guest": guest, "access": access_name(access) });
    let secret = |(name, source): (&String, &SecretSource)| match source {
        SecretSource::File(path) => json!({ "name": name, "file": program.shown(path).to_string() }),
        SecretSource::Env(variable) => json!({ "name": name, "env": variable }),
    };
    json!({
        "node": node.name,
        "handles": node.handles.iter().map(|handle| json!({ "name": handle.name, "nodes": handle.nodes })).collect::<Vec<_>>(),
        "callers": callers(program, node).map(|caller| &caller.name).collect::<Vec<_>>(),
        "listen": node.listen.map(|address| address.to_string()),
        "clients": clients(program, node),
        "limits": Limit::ALL
            .into_iter()
            .map(|limit| (limit.key(), program.limit(node, limit)))
            .collect::<BTreeMap<_, _>>(),
        "dirs": sandbox.dirs.iter().map(|dir| place(&dir.host, &dir.guest, dir.access)).collect::<Vec<_>>(),
        "files": sandbox.files.iter().map(|file| place(&file.host, &file.guest, file.access)).collect::<Vec<_>>(),
        "env": node.env.keys().collect::<Vec<_>>(),
        "inherited_env": sandbox.inherit_env,
        "config": node.config.keys().collect::<Vec<_>>(),
        "secrets": sandbox.secrets.iter().map(secret).collect::<Vec<_>>(),
        "network": sandbox.network,
        "http": sandbox.http,
        "http_ca": sandbox.http_ca.as_ref().map(|path| program.shown(path).to_string()),
        "clock": match sandbox.clock {
            Clock::Real => Value::from("real"),
            Clock::Fixed(start) => json!({ "fixed": start.to_string() }),
        },
        "random": match sandbox.random {
            Random::Real => Value::from("real"),
            Random::Seed(seed) => json!({ "seed": seed }),
        },
    })
}
