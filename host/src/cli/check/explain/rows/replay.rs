//! What a replay node may do, and what handles let others do with it.

use std::path::Path;

use lp_base::words::{Access, AtLimit, RateLimiter, Replay, ReplayTable, Selector};
use lp_program::program::{Handle, Node, Program};
use serde_json::{Value, json};

use super::{Line, Place, Row, clients, limits, listen, plain, row};

/// What a replay node may do, whose handles are held by `callers`.
pub(super) fn rows(program: &Program, node: &Node, replay: &Replay, callers: &[&str]) -> Vec<Row> {
    let checkpoint = replay.checkpoint.as_ref();
    let written = checkpoint.map(|checkpoint| line(program, "written", &checkpoint.dir, Access::ReadWrite));
    let fallback = checkpoint.and_then(|checkpoint| checkpoint.fallback.as_deref());
    let fallback = fallback.map(|path| line(program, "loaded if there is none", path, Access::Read));
    vec![
        plain("tables", replay.tables.iter().map(table)),
        plain("at-limit", [at_limit(replay.at_limit)]),
        row("checkpoint", written.into_iter().chain(fallback)),
        plain("replicas", [node.replicas]),
        plain("callers", callers),
        row("listen", node.listen.map(listen)),
        plain("clients", clients(program, node)),
        plain("limits", limits(program, node)),
    ]
}

fn line(program: &Program, what: &str, path: &Path, access: Access) -> Line {
    let place = Place::of(program, path);
    let grave = place.grave(program, access);
    Line { text: format!("{what}: {}", place.shown), grave }
}

fn at_limit(at_limit: AtLimit) -> &'static str {
    match at_limit {
        AtLimit::Block => "block: inserts wait",
        AtLimit::Evict => "evict: items make room",
    }
}

fn table(table: &ReplayTable) -> String {
    let times = table.max_times_sampled.map(|times| format!(", each sampled {times} times at most"));
    let (sampler, remover) = (selector(table.sampler), selector(table.remover));
    let limiter = match table.rate_limiter {
        RateLimiter::MinSize(items) => format!("from {items} on"),
        RateLimiter::Queue(items) => format!("a queue of {items}"),
        RateLimiter::Ratio { min_size, samples_per_insert, .. } => {
            format!("{} samples per insert, from {min_size} on", samples_per_insert.0)
        }
    };
    let (name, size) = (&table.name, table.max_size);
    format!("{name}: {size} items, sampled {sampler}, removed {remover}, {limiter}{}", times.unwrap_or_default())
}

fn selector(selector: Selector) -> String {
    match selector {
        Selector::Uniform => "uniform".to_owned(),
        Selector::Prioritized(exponent) => format!("prioritized ({})", exponent.0),
        Selector::Fifo => "fifo".to_owned(),
        Selector::Lifo => "lifo".to_owned(),
        Selector::MinHeap => "min-heap".to_owned(),
        Selector::MaxHeap => "max-heap".to_owned(),
    }
}

/// Whether any node of a handle is a replay node, of which it gives only some interfaces.
fn is_of_replay(program: &Program, handle: &Handle) -> bool {
    let is_replay = |name: &String| program.nodes.iter().any(|node| node.name == *name && node.replay.is_some());
    handle.nodes.iter().any(is_replay)
}

/// A handle, with what it lets its node do where that is not all.
pub(super) fn handle(program: &Program, handle: &Handle) -> String {
    let access: Vec<_> = handle.access.iter().map(|access| access.word()).collect();
    let access = is_of_replay(program, handle).then(|| format!(" ({})", access.join(", ")));
    format!("{}: {}{}", handle.name, handle.nodes.join(", "), access.unwrap_or_default())
}

/// The same as JSON.
pub(in super::super) fn handle_to_json(program: &Program, handle: &Handle) -> Value {
    let mut value = json!({ "name": handle.name, "nodes": handle.nodes });
    if is_of_replay(program, handle) {
        value["access"] = handle.access.iter().map(|access| access.word()).collect();
    }
    value
}

/// What a replay node keeps, and where, as JSON.
pub(in super::super) fn replay_to_json(program: &Program, replay: &Replay) -> Value {
    let shown = |path: &Path| program.shown(path).to_string();
    let checkpoint = replay.checkpoint.as_ref().map(|checkpoint| {
        json!({
            "dir": shown(&checkpoint.dir),
            "every_ms": checkpoint.every_ms,
            "keep": checkpoint.keep,
            "fallback": checkpoint.fallback.as_deref().map(shown),
            "configuration": checkpoint.configuration,
        })
    });
    json!({ "tables": replay.tables, "at-limit": replay.at_limit, "checkpoint": checkpoint })
}
