//! The batch script of a program: what is submitted, and what is printed instead for a look.

use std::fmt::Write as _;

use lp_base::plan::Plan;

use super::needs::{Asked, asked};
use super::parts::{Gpus, Part, parts};
use super::steps::Step;
use crate::units::{Group, groups};

/// How long before the time limit the job is asked to stop, beyond the grace period of its nodes, in seconds: for what comes
/// after them, such as the last lines of the journal.
const STOP_MARGIN_S: u64 = 30;

/// Slurm sends such a signal up to so many seconds early, since it looks only now and then.
const SIGNAL_EARLY_S: u64 = 60;

/// The most seconds before the limit that Slurm takes.
const SIGNAL_S_MAX: u64 = 65_535;

/// What the batch script exits with where the program directory is not there.
pub const NOT_SHARED: u8 = 98;

/// The variables by which an allocation tells its own shape to `srun`. Each step says its own. Nor does the folder of a login
/// lead anywhere on other machines.
const SHAPE_VARIABLES: &str = "SLURM_NTASKS SLURM_NPROCS SLURM_CPUS_PER_TASK SLURM_MEM_PER_CPU SLURM_MEM_PER_NODE \
    SLURM_MEM_PER_GPU SLURM_GPUS SLURM_GPUS_PER_TASK SLURM_GPUS_PER_NODE SLURM_TRES_PER_TASK SLURM_NTASKS_PER_NODE \
    SLURM_DISTRIBUTION SLURM_NNODES SLURM_JOB_NUM_NODES SLURM_EXCLUSIVE SLURM_EXACT SLURM_OVERLAP SLURM_HINT";

/// Where a job finds what it runs, on all of its machines.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// The id of the run.
    pub id: &'a str,
    /// The program directory.
    pub dir: &'a str,
    /// The binary of lp-host.
    pub binary: &'a str,
}

/// A job that runs a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The batch script, to be given to `sbatch` as it is.
    pub script: String,
    /// The steps that the coordinator starts, in this order.
    pub steps: Vec<Step>,
    /// What the user should know before it is submitted.
    pub warnings: Vec<String>,
}

/// Why there is no job for a plan: all reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct RenderError(pub Vec<String>);

/// The job for a plan that was lowered with a worker for each replica.
///
/// # Errors
/// If what its nodes ask for contradicts itself.
pub fn render(plan: &Plan, placed: Placed<'_>) -> Result<Job, RenderError> {
    let groups = groups(plan);
    let (mut wanted, mut wrong) = (Vec::new(), Vec::new());
    for group in &groups {
        match asked(plan, group) {
            Ok(asked) => wanted.push((asked, group.units.len() as u64)),
            Err(error) => wrong.push(error),
        }
    }
    let stop_s = (plan.grace_ms.div_ceil(1000) + STOP_MARGIN_S).min(SIGNAL_S_MAX);
    wrong.extend(too_short(&wanted, stop_s));
    if !wrong.is_empty() {
        return Err(RenderError(wrong));
    }
    let parts = parts(&wanted);
    let steps = steps(&groups, &wanted, &parts);
    let warnings = warnings(&groups, &parts);
    Ok(Job { script: script(&parts, stop_s, placed), steps, warnings })
}

fn too_short(wanted: &[(Asked, u64)], stop_s: u64) -> Option<String> {
    let time_s = wanted.iter().filter_map(|(asked, _)| asked.time_s).max()?;
    let least = (stop_s + SIGNAL_EARLY_S).div_ceil(60);
    (time_s.div_ceil(60) < least).then(|| {
        format!(
            "`slurm.time` is too short: nodes are asked to stop {stop_s} s before its end, and up to {SIGNAL_EARLY_S} s \
             earlier, so it must be at least {least}m, or `grace` shorter"
        )
    })
}

fn steps(groups: &[Group], wanted: &[(Asked, u64)], parts: &[Part]) -> Vec<Step> {
    let step = |(part, group): (Option<u64>, usize)| {
        let (asked, units) = &wanted[group];
        Step {
            group: groups[group].name.clone(),
            units: *units,
            het_group: part,
            cpus: asked.unit.cpus,
            memory_per_cpu_mib: asked.unit.memory_per_cpu(),
            gpus: asked.unit.gpus,
        }
    };
    let is_het = parts.len() > 1;
    let of_parts = (0..)
        .zip(parts)
        .flat_map(|(number, part)| part.groups.iter().map(move |&group| (is_het.then_some(number), group)));
    of_parts.map(step).collect()
}

fn script(parts: &[Part], stop_s: u64, Placed { id, dir, binary }: Placed<'_>) -> String {
    let mut script = format!(
        "#!/bin/sh\n\
         #SBATCH --job-name=lp-{id}\n\
         #SBATCH --chdir={}\n\
         #SBATCH --output=/dev/null\n\
         #SBATCH --signal=B:TERM@{stop_s}\n",
        directive(dir)
    );
    let asks_for_requeue = |line: &String| line == "--requeue" || line == "--no-requeue";
    if !parts.iter().flat_map(|part| &part.sbatch).any(asks_for_requeue) {
        script.push_str("#SBATCH --no-requeue\n");
    }
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            script.push_str("#SBATCH hetjob\n");
        }
        for option in options(part) {
            let _ = writeln!(script, "#SBATCH {option}");
        }
    }
    let (dir, binary) = (quoted(dir), quoted(binary));
    let _ = write!(
        script,
        "cd {dir} && exec >>job.log 2>&1 || exit {NOT_SHARED}\n\
         unset {SHAPE_VARIABLES} XDG_RUNTIME_DIR\n\
         exec {binary} coordinator {dir} --journal {dir}/journal\n"
    );
    script
}

/// The options of sbatch for one part.
fn options(part: &Part) -> Vec<String> {
    let Part { place, task, tasks, gpus, time_s, sbatch, .. } = part;
    let mut options = vec![
        // Without it, a machine that is lost takes the whole job along.
        "--no-kill".to_owned(),
        format!("--ntasks={tasks}"),
        format!("--cpus-per-task={}", task.cpus),
        format!("--mem-per-cpu={}M", task.memory_per_cpu()),
    ];
    match gpus {
        Gpus::None => {}
        Gpus::PerTask(gpus) => options.push(format!("--gpus-per-task={gpus}")),
        Gpus::InAll(gpus) => options.push(format!("--gpus={gpus}")),
    }
    let words = [("partition", &place.partition), ("account", &place.account), ("constraint", &place.constraint)];
    for (name, word) in words {
        options.extend(word.as_ref().map(|word| format!("--{name}={}", directive(word))));
    }
    options.extend(time_s.map(|time| format!("--time={}", time.div_ceil(60))));
    options.extend(sbatch.iter().cloned());
    options
}

fn warnings(groups: &[Group], parts: &[Part]) -> Vec<String> {
    let mut warnings = Vec::new();
    if parts.len() > 1 {
        let names = parts.iter().map(|part| {
            let names: Vec<_> = part.groups.iter().map(|&group| format!("`{}`", groups[group].name)).collect();
            names.join(", ")
        });
        let names: Vec<_> = names.collect();
        warnings.push(format!(
            "nodes ask for different partitions, accounts or constraints, so this is a heterogeneous job of {} parts: {}. Slurm \
             starts each part on machines of its own, so with fewer machines than parts it waits for ever",
            parts.len(),
            names.join(" | ")
        ));
    }
    for part in parts {
        let (cpus, memory) = (part.task.cpus * part.tasks, part.task.memory_mib * part.tasks);
        let is_much = |given: u64, needed: u64, least: u64| given >= 2 * needed && given - needed >= least;
        if is_much(cpus, part.needed.cpus, 8) || is_much(memory, part.needed.memory_mib, 16 << 10) {
            warnings.push(format!(
                "the job asks for {cpus} processors and {memory} MiB, of which its nodes use {} and {} MiB: an allocation has \
                 equal tasks, each as large as the largest unit. Ask for similar `cpus` and `memory`, or colocate small nodes",
                part.needed.cpus, part.needed.memory_mib
            ));
        }
    }
    warnings
}

/// A word as `#SBATCH` lines take it: whitespace and quotes end it otherwise.
fn directive(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:=@%".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\\\"")) }
}

/// A word as a shell takes it.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
