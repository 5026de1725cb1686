//! What a replica takes that does nothing, from many of them in one process.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{components, meeting};

/// How many replicas there are, beside the one that every program has.
const REPLICAS: u32 = 100;

/// Of one replica.
pub struct Idle {
    /// The size of its memory, as the guest sees it.
    pub linear_bytes: f64,
    /// What each more of them adds to the resident memory of the process.
    pub resident_bytes: f64,
}

/// Starts the program with one replica and with many, which no call reaches.
pub fn measure(component: &Path) -> Idle {
    let (one, _) = serve(component, 1);
    let (many, linear_bytes) = serve(component, 1 + REPLICAS);
    Idle { linear_bytes, resident_bytes: (many - one) / f64::from(REPLICAS) }
}

/// The resident memory of the process, and the linear memory of a replica, once all are there.
fn serve(component: &Path, replicas: u32) -> (f64, f64) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let mut command = meeting(component, component);
    command.args(["--set", "nodes.caller.run=false", "--set", &format!("nodes.relay.replicas={replicas}")]);
    command.env("XDG_RUNTIME_DIR", dir.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = Running(command.spawn().expect("it was built"));
    let started = Instant::now();
    loop {
        assert!(run.0.try_wait().is_ok_and(|status| status.is_none()), "the program ended");
        assert!(started.elapsed() < Duration::from_secs(120), "the program did not start");
        if let Some(linear_bytes) = linear_bytes(dir.path(), replicas) {
            return (resident_bytes(run.0.id()), linear_bytes);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The linear memory of a replica; none if not all of them are there yet.
fn linear_bytes(dir: &Path, replicas: u32) -> Option<f64> {
    let mut command = Command::new(components::lp_host());
    let output = command.args(["ps", "--format", "json"]).env("XDG_RUNTIME_DIR", dir).output().expect("it was built");
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let relays = shown["runs"][0]["replicas"].as_array()?.iter().filter(|replica| replica["node"] == "relay");
    let running: Vec<_> = relays.filter(|replica| replica["state"] == "running").collect();
    (running.len() == replicas as usize).then(|| running[0]["memory_bytes"].as_f64())?
}

/// The resident memory of a process, as Linux counts it.
fn resident_bytes(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has resident memory");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("it is a number");
    kib * 1024.0
}

/// Ended when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
