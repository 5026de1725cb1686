//! What a program may do, for the person who has to approve it: as a table and as JSON.

mod grave;
mod rows;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use lp_base::shown;
use lp_base::words::{Access, Clock, Hardening, Limit, Random, SecretSource};
use lp_program::program::{Node, Program};
use rows::{Row, node_rows, program_rows};
use serde_json::{Value, json};

/// The width of the table where there is room: that of a terminal, and of a comment in a review.
const COLUMNS_MAX: u16 = 80;
/// The narrowest table that can be read.
const COLUMNS_MIN: u16 = 40;

/// All that the program may do, a line for each thing, with the defaults where nothing is granted. What reaches far is
/// marked with a `!` and a reason.
pub(super) fn table(program: &Program) -> String {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(COLUMNS_MAX);
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(columns.clamp(COLUMNS_MIN, COLUMNS_MAX));
    table.set_header(["node", "may use", "which"]);
    let callers = callers(program);
    let mut grave = 0;
    let mut add = |name: &str, rows: Vec<Row>| {
        let mut name = name;
        for Row { what, lines } in rows {
            grave += lines.iter().filter(|line| line.grave.is_some()).count();
            let shown = |line: &rows::Line| match line.grave {
                // Whoever wrote the program file chose the words, and may not have meant well.
                None => shown::line(&line.text).into_owned(),
                Some(reason) => format!("! {} [{reason}]", shown::line(&line.text)),
            };
            let lines: Vec<_> = lines.iter().map(shown).collect();
            let lines = if lines.is_empty() { "none".to_owned() } else { lines.join("\n") };
            table.add_row([name, what, &lines]);
            name = "";
        }
    };
    add("(program)", program_rows(program));
    for node in &program.nodes {
        add(&node.name, node_rows(program, node, callers.get(node.name.as_str()).map_or(&[], Vec::as_slice)));
    }
    let summary = match grave {
        0 => "nothing here reaches far".to_owned(),
        1 => "1 line is marked with `!`: it reaches far".to_owned(),
        lines => format!("{lines} lines are marked with `!`: they reach far"),
    };
    format!("{}\n\n{summary}", table.trim_fmt())
}

/// The nodes that hold a handle of each node.
fn callers(program: &Program) -> HashMap<&str, Vec<&str>> {
    let mut callers: HashMap<&str, Vec<&str>> = HashMap::new();
    for caller in &program.nodes {
        for callee in caller.handles.iter().flat_map(|handle| &handle.nodes) {
            let callers = callers.entry(callee).or_default();
            // All handles of one node come one after the other.
            if callers.last() != Some(&caller.name.as_str()) {
                callers.push(&caller.name);
            }
        }
    }
    callers
}

fn access_name(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::ReadWrite => "read-write",
    }
}

fn hardening_name(hardening: Hardening) -> &'static str {
    match hardening {
        Hardening::Auto => "auto",
        Hardening::Require => "require",
        Hardening::Off => "off",
    }
}

/// The memory of all replicas together, in bytes.
fn total_memory(program: &Program) -> u64 {
    let of_node =
        |node: &Node| program.limit(node, Limit::Memory).unwrap_or(u64::MAX).saturating_mul(node.replicas.into());
    program.nodes.iter().map(of_node).fold(0, u64::saturating_add)
}

fn total_replicas(program: &Program) -> u64 {
    program.nodes.iter().map(|node| u64::from(node.replicas)).sum()
}

/// What all nodes have together, as JSON.
pub(super) fn totals_to_json(program: &Program) -> Value {
    json!({
        "hardening": hardening_name(program.hardening),
        "replicas": total_replicas(program),
        "memory": total_memory(program),
        "grave": grave_to_json(program_rows(program)),
    })
}

/// What each node may do as JSON, an object for each.
pub(super) fn to_json(program: &Program) -> Vec<Value> {
    let callers = callers(program);
    let callers = |node: &Node| callers.get(node.name.as_str()).cloned().unwrap_or_default();
    program.nodes.iter().map(|node| node_to_json(program, node, &callers(node))).collect()
}

fn grave_to_json(rows: Vec<Row>) -> Vec<Value> {
    let to_json = |row: Row| {
        row.lines
            .into_iter()
            .filter_map(move |line| Some(json!({ "what": row.what, "which": line.text, "why": line.grave? })))
    };
    rows.into_iter().flat_map(to_json).collect()
}

fn node_to_json(program: &Program, node: &Node, callers: &[&str]) -> Value {
    let sandbox = &node.sandbox;
    let place = |host: &Path, guest: &str, access| {
        json!({
            "host": program.shown(host).to_string(),
            "path": std::fs::canonicalize(host).ok().map(|path| path.display().to_string()),
            "guest": guest,
            "access": access_name(access),
        })
    };
    let secret = |(name, source): (&String, &SecretSource)| match source {
        SecretSource::File(path) => json!({ "name": name, "file": program.shown(path).to_string() }),
        SecretSource::Env(variable) => json!({ "name": name, "env": variable }),
    };
    json!({
        "node": node.name,
        "component": node.replay.is_none().then(|| program.shown(&node.component).to_string()),
        "sha256": node.sha256,
        "build": node.build,
        "replicas": node.replicas,
        "args": node.args,
        "grave": grave_to_json(node_rows(program, node, callers)),
        "replay": node.replay.as_ref().map(|replay| rows::replay_to_json(program, replay)),
        "handles": node.handles.iter().map(|handle| rows::handle_to_json(program, handle)).collect::<Vec<_>>(),
        "callers": callers,
        "listen": node.listen.map(|address| address.to_string()),
        "clients": rows::clients(program, node),
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
