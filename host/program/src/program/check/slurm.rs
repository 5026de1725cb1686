//! The rules of what a node asks of Slurm, as far as they hold on every cluster.

use lp_base::words::format_bytes;

use super::NodeCheck;
use crate::program::Limit;
use crate::program::problem::Problem;
use crate::program::source::NodePlace;

/// The most processors of a replica: Slurm counts them in 16 bits.
const CPUS_MAX: u32 = 65_535;
/// The most GPUs of a replica: more than any machine has.
const GPUS_MAX: u32 = 1024;
/// The shortest job: Slurm counts in minutes.
const TIME_S_MIN: u64 = 60;
/// The longest: a year.
const TIME_S_MAX: u64 = 365 * 24 * 3600;

/// The options of sbatch that a key of `slurm` is for, and those that lp-host gives itself, which have none.
const TAKEN: &[(&[&str], Option<&str>)] = &[
    (&["--cpus-per-task", "-c"], Some("cpus")),
    (&["--mem", "--mem-per-cpu", "--mem-per-gpu"], Some("memory")),
    (&["--gpus", "-G", "--gpus-per-node", "--gpus-per-task", "--gpus-per-socket"], Some("gpus")),
    (&["--constraint", "-C"], Some("constraint")),
    (&["--partition", "-p"], Some("partition")),
    (&["--account", "-A"], Some("account")),
    (&["--time", "-t"], Some("time")),
    (&["--array", "-a"], None),
    (&["--chdir", "-D"], None),
    (&["--error", "-e"], None),
    (&["--export", "--export-file"], None),
    (&["--job-name", "-J"], None),
    (&["--no-kill", "-k"], None),
    (&["--ntasks", "-n"], None),
    (&["--ntasks-per-node", "--ntasks-per-core", "--ntasks-per-socket", "--ntasks-per-gpu"], None),
    (&["--open-mode"], None),
    (&["--output", "-o"], None),
    (&["--parsable"], None),
    (&["--signal"], None),
    (&["--test-only"], None),
    (&["--wait", "-W"], None),
    (&["--wrap"], None),
];

impl NodeCheck<'_> {
    pub(super) fn slurm(&mut self) {
        let asked = &self.node.slurm;
        let counts = [("cpus", asked.cpus, 1, CPUS_MAX), ("gpus", asked.gpus, 0, GPUS_MAX)];
        for (key, count, min, max) in counts {
            if count.is_some_and(|count| !(min..=max).contains(&count)) {
                self.report_slurm(key, format!("`slurm.{key}` must be from {min} to {max}"), "out of range", None);
            }
        }
        if asked.time_s.is_some_and(|time| !(TIME_S_MIN..=TIME_S_MAX).contains(&time)) {
            let message = "`slurm.time` must be from 1m to 8760h".to_owned();
            self.report_slurm("time", message, "out of range", None);
        }
        self.slurm_memory();
        for (key, word) in
            [("constraint", &asked.constraint), ("partition", &asked.partition), ("account", &asked.account)]
        {
            let is_bad = |word: &String| word.is_empty() || word.contains(is_no_part_of_a_word);
            if word.as_ref().is_some_and(is_bad) {
                let message = format!("`slurm.{key}` is something that no cluster has");
                let help = "it has no spaces, quotes, backslashes or control characters, and is not empty";
                self.report_slurm(key, message, "not a word of Slurm", Some(help.to_owned()));
            }
        }
        for (index, line) in asked.sbatch.iter().enumerate() {
            self.slurm_line(index, line);
        }
    }

    fn slurm_memory(&mut self) {
        let needed = self.program.limit(self.node, Limit::Memory).unwrap_or(0);
        if let Some(memory) = self.node.slurm.memory_bytes.filter(|memory| *memory < needed) {
            let needed = format_bytes(needed);
            let message = format!("`slurm.memory` is {}, and a replica may have {needed}", format_bytes(memory));
            let help = format!("ask for more than {needed}, or lower `limits.memory`");
            self.report_slurm("memory", message, "Slurm would kill it", Some(help));
        }
    }

    fn slurm_line(&mut self, index: usize, line: &str) {
        let place = NodePlace::SlurmLine(index);
        let is_long = line.len() > 2 && line.starts_with("--");
        let is_short = line.len() > 1 && line.starts_with('-') && line.is_char_boundary(2) && !line.starts_with("--");
        // The value of a short one may follow it at once.
        let option = if is_short { &line[..2] } else { line.split(['=', ' ']).next().unwrap_or_default() };
        let has_more = line.split_whitespace().skip(1).any(|word| word.starts_with('-'));
        if !(is_long || is_short) || has_more || line.contains(char::is_control) {
            let problem = Problem::error("bad-slurm", format!("`{}` is not an option of sbatch", line.escape_debug()));
            let problem = problem.at(self.span(place), "not an option");
            return self.report([problem.help("write one as `--qos=high` or `-w node7`".to_owned())]);
        }
        let Some((_, key)) = TAKEN.iter().find(|(names, _)| names.contains(&option)) else { return };
        let problem = Problem::error("bad-slurm", format!("`{option}` is not for `slurm.sbatch`"));
        let problem = problem.at(self.span(place), "lp-host says this itself");
        self.report([problem.help(match key {
            Some(key) => format!("use the key `slurm.{key}`"),
            None => "remove it".to_owned(),
        })]);
    }

    fn report_slurm(&mut self, key: &'static str, message: String, label: &str, help: Option<String>) {
        let problem = Problem::error("bad-slurm", message).at(self.span(NodePlace::Slurm(key)), label);
        self.report([match help {
            Some(help) => problem.help(help),
            None => problem,
        }]);
    }
}

fn is_no_part_of_a_word(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '\\' | '`' | '$')
}
