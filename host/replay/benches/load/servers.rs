//! The servers that are measured, each a process on the first core.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// The table of both: prioritized, as the one that costs most.
const OURS: &str = "name=t sampler=prioritized:0.6 remover=fifo max_size=";
const THEIRS: &str = "
import sys, reverb
size = int(sys.argv[1])
limiter = reverb.rate_limiters.MinSize(1)
table = reverb.Table('t', reverb.selectors.Prioritized(0.6), reverb.selectors.Fifo(), size, limiter)
server = reverb.Server([table])
print(server.port, flush=True)
sys.stdin.read()
";

pub enum Kind {
    Own,
    /// The original, by that Python.
    Original(String),
}

pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    /// With a table of at most `size` items.
    pub fn start(kind: &Kind, size: usize) -> Self {
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]);
        match kind {
            Kind::Own => {
                let own = std::env::current_exe().expect("this program has a path");
                let table = format!("{OURS}{size}");
                command.arg(own).args(["serve", "0", "-", &table]).env("SERVE_THREADS", "1");
            }
            Kind::Original(python) => {
                command.args([python, "-c", THEIRS, &size.to_string()]).env("TF_CPP_MIN_LOG_LEVEL", "3");
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the server starts");
        let mut port = String::new();
        let stdout = child.stdout.take().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut port).expect("the server prints its port");
        Self { child, address: format!("127.0.0.1:{}", port.trim()) }
    }

    /// A field of the process's status, in bytes.
    pub fn status(&self, what: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("the field is there");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number of kilobytes") * 1024.0
    }

    pub fn resident(&self) -> f64 {
        self.status("VmRSS:")
    }

    /// The time that the threads of the process have had a core.
    pub fn cpu_seconds(&self) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let time = |path: std::path::PathBuf| {
            let stat = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            stat.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0)
        };
        tasks.map(|task| time(task.expect("an entry").path())).sum::<f64>() / 1e9
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
