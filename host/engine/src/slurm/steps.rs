//! The steps of a job: a `srun` for each group, and one for a unit that starts again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The shell's part of a unit's command: which task it is and on which machine, srun says in variables alone.
const NAMED: &str = "name=\"$2-$(($3 + SLURM_PROCID))\"; echo \"$SLURMD_NODENAME\" >\"$1/$name.machine\"; shift 3; \
    exec \"$@\" --name \"$name\"";

/// The step of a group: what the coordinator starts in the allocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// The name of the group.
    pub group: String,
    /// How many units it has.
    pub units: u64,
    /// Which part of a heterogeneous job it is in.
    pub het_group: Option<u64>,
    /// The processors of a unit.
    pub cpus: u64,
    /// The memory of a unit, in mebibytes for each processor.
    pub memory_per_cpu_mib: u64,
    /// The GPUs of a unit.
    pub gpus: u64,
}

impl Step {
    /// The name of the unit of that number.
    pub fn unit(&self, index: u64) -> String {
        format!("{}-{index}", self.group)
    }

    /// The file in the folder `units` that says on which machine the unit of that number was started last.
    pub fn machine_file(&self, index: u64, units: &Path) -> PathBuf {
        units.join(format!("{}.machine", self.unit(index)))
    }

    /// Whether the units of both are as large.
    pub fn is_as_large_as(&self, other: &Step) -> bool {
        (self.cpus, self.memory_per_cpu_mib, self.gpus) == (other.cpus, other.memory_per_cpu_mib, other.gpus)
    }

    /// The arguments of the `srun` that starts all units of the group in an allocation of so many machines. `units` is the folder in which they write, and `unit` the
    /// command of a unit without its name.
    pub fn all(&self, machines: u64, units: &str, unit: &[String]) -> Vec<String> {
        let mut arguments = self.options(self.units);
        // Without it, a step wants all machines of the job, and small ones leave no machine with room for a large one.
        arguments.push(format!("--nodes=1-{}", self.units.min(machines)));
        arguments.push(format!("--mem-per-cpu={}M", self.memory_per_cpu_mib));
        // A task that ends is a unit that is lost, and not the end of the others.
        arguments.extend(["--kill-on-bad-exit=0", "--wait=0"].map(str::to_owned));
        arguments.push(format!("--output={units}/{}-%t.log", self.group));
        self.command(arguments, 0, units, unit)
    }

    /// Those of the `srun` that starts the unit of that number again, on that machine of the allocation. What the lost task had is
    /// its step's as long as others of that step run, so this one overlaps it: it has the same processors again, and its memory
    /// is not counted twice.
    pub fn one(&self, index: u64, machine: &str, units: &str, unit: &[String]) -> Vec<String> {
        let mut arguments = self.options(1);
        arguments.extend(["--nodes=1", "--overlap", "--mem=0"].map(str::to_owned));
        arguments.push(format!("--nodelist={machine}"));
        arguments.push(format!("--output={units}/{}.log", self.unit(index)));
        self.command(arguments, index, units, unit)
    }

    fn options(&self, tasks: u64) -> Vec<String> {
        let het = self.het_group.map(|group| format!("--het-group={group}"));
        let gpus = (self.gpus > 0).then(|| format!("--gpus-per-task={}", self.gpus));
        let shape = [format!("--job-name={}", self.group), format!("--ntasks={tasks}")];
        let cpus = format!("--cpus-per-task={}", self.cpus);
        let fixed = ["--exact", "--no-kill", "--mpi=none", "--input=none", "--open-mode=append", "--export=ALL"];
        het.into_iter().chain(shape).chain([cpus]).chain(gpus).chain(fixed.map(str::to_owned)).collect()
    }

    fn command(&self, mut arguments: Vec<String>, first: u64, units: &str, unit: &[String]) -> Vec<String> {
        let first = first.to_string();
        arguments.extend(["sh", "-c", NAMED, "sh", units, &self.group, &first].map(str::to_owned));
        arguments.extend(unit.iter().cloned());
        arguments
    }
}
