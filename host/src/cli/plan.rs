//! `lp-host plan`: which processes a program becomes, and on which hosts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::ValueEnum;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use lp_base::plan::{LaunchType, Plan};
use lp_base::words::format_bytes;
use serde_json::json;

use super::ProgramArgs;
use super::hosts::{self, placed};
use super::screen::{CliError, Screen};

/// Shows the workers of a program, what each runs, and on which host
///
/// A worker is a process. Nothing is started and no host is asked: what hosts have is what the file of hosts says.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: ProgramArgs,
    /// How the nodes come to run: `threads`, `processes` or `remote`, which is the default where there are hosts
    #[arg(long, value_name = "TYPE")]
    launch_type: Option<LaunchType>,
    /// The file of hosts for launch type `remote`; `$LP_HOST_HOSTS` if it is not said
    #[arg(long, value_name = "FILE")]
    hosts: Option<PathBuf>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table
    Text,
    /// One JSON object
    Json,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let launch_type = launch_type(args.launch_type, args.hosts.is_some());
    let file = hosts::file(args.hosts.clone(), launch_type);
    let linked = match launch_type {
        LaunchType::Remote => args.program.link_elsewhere()?,
        LaunchType::Threads | LaunchType::Processes => args.program.link()?,
    };
    screen.warnings(&linked.warnings);
    let (plan, _) = lp_program::lower(&linked, launch_type);
    let hosts = match (&file, launch_type) {
        (Some(file), LaunchType::Remote) => {
            let (hosts, placed) = placed(file, &plan)?;
            placed.iter().map(|&host| Some(hosts.hosts[host].name.clone())).collect()
        }
        _ => vec![None; plan.workers.len()],
    };
    match args.format {
        Format::Text => screen.data(&table(&plan, &hosts)),
        Format::Json => screen.data(&format!("{}\n", as_json(&plan, &hosts))),
    }
    Ok(0)
}

/// The launch type that was asked for, or the one that goes with a file of hosts.
pub(super) fn launch_type(asked: Option<LaunchType>, has_hosts: bool) -> LaunchType {
    asked.unwrap_or(if has_hosts { LaunchType::Remote } else { LaunchType::Threads })
}

/// What a worker runs, as `producer/0..3`.
fn replicas(plan: &Plan, worker: usize) -> String {
    let mut of_node: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    for replica in &plan.workers[worker].replicas {
        of_node.entry(replica.node).or_default().push(replica.index);
    }
    let shown = of_node.into_iter().map(|(node, indices)| {
        let name = &plan.node(node).name;
        match indices[..] {
            [index] => format!("{name}/{index}"),
            [first, .., last] => format!("{name}/{first} to {last}"),
            [] => name.clone(),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn memory(plan: &Plan, worker: usize) -> u64 {
    let of_replicas = plan.workers[worker].replicas.iter().map(|replica| plan.node(replica.node).limits.memory_bytes);
    of_replicas.fold(0, u64::saturating_add)
}

fn table(plan: &Plan, hosts: &[Option<String>]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["worker", "host", "runs", "memory at most"]);
    for (index, (worker, host)) in plan.workers.iter().zip(hosts).enumerate() {
        let host = host.as_deref().unwrap_or("this one");
        table.add_row([&worker.name, host, &replicas(plan, index), &format_bytes(memory(plan, index))]);
    }
    format!("{}\n", table.trim_fmt())
}

fn as_json(plan: &Plan, hosts: &[Option<String>]) -> serde_json::Value {
    let worker = |(index, host): (usize, &Option<String>)| {
        let worker = &plan.workers[index];
        let replicas: Vec<_> = worker.replicas.iter().map(|&replica| plan.label(replica)).collect();
        json!({ "worker": worker.name, "host": host, "replicas": replicas, "memory": memory(plan, index) })
    };
    let workers: Vec<_> = hosts.iter().enumerate().map(worker).collect();
    json!({ "program": plan.program, "launch_type": plan.launch_type, "workers": workers })
}
