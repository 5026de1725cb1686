//! The program: a caller and an echo node, each in a process of its own, driven through `lp-host call`. Over TLS, an agent on
//! this machine starts them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Over, Work};

/// A running program.
pub struct Running {
    run: Child,
    agent: Option<Child>,
    dir: tempfile::TempDir,
}

/// The directory that cargo builds to.
fn target() -> PathBuf {
    let this = std::env::current_exe().expect("the system knows this program");
    this.ancestors().nth(2).expect("cargo builds to a directory of a profile").to_owned()
}

impl Running {
    pub fn start(over: Over) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let component = |name: &str| target().join("wasm32-wasip2/release").join(name).display().to_string();
        let toml = format!(
            "name = \"bench\"\n[nodes.echo]\ncomponent = \"{}\"\n\
             [nodes.caller]\ncomponent = \"{}\"\nhandles = {{ echo = \"echo\" }}\n",
            component("bench_echo.wasm"),
            component("bench_caller.wasm")
        );
        let file = dir.path().join("program.toml");
        std::fs::write(&file, toml).expect("the directory was just made");
        let mut command = command(dir.path());
        command.arg("run").arg(file).stderr(Stdio::inherit());
        let agent = match over {
            Over::Unix => {
                command.args(["--launch-type", "processes"]);
                None
            }
            Over::Tls => {
                let (agent, hosts) = start_agent(dir.path());
                command.arg("--hosts").arg(hosts);
                Some(agent)
            }
        };
        let run = command.spawn().expect("`cargo build --release` has made lp-host");
        let running = Self { run, agent, dir };
        // It takes calls some time after it has started.
        let start = Instant::now();
        while !running.call(&["run", "empty, 0, 1"]) {
            assert!(start.elapsed() < Duration::from_secs(60), "the program did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        running
    }

    /// The time of the calls, without that of the process that asks for them.
    pub fn time(&self, work: Work, calls: u32) -> Duration {
        let started = Instant::now();
        assert!(self.call(&["run", "empty, 0, 0"]), "the caller has gone");
        let overhead = started.elapsed();
        let started = Instant::now();
        let done = match work {
            Work::OneByOne { bytes: 0 } => self.call(&["run", &format!("empty, 0, {calls}")]),
            Work::OneByOne { bytes } => self.call(&["run", &format!("bytes, {bytes}, {calls}")]),
            Work::InFlight { width } => self.call(&["in-flight", &format!("{width}, {calls}")]),
        };
        assert!(done, "the calls failed");
        started.elapsed().saturating_sub(overhead)
    }

    fn call(&self, words: &[&str]) -> bool {
        let mut command = command(self.dir.path());
        command.args(["call", "bench/caller"]).args(words).stderr(Stdio::null());
        command.status().expect("`cargo build --release` has made lp-host").success()
    }
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new(target().join("release/lp-host"));
    command.env("XDG_RUNTIME_DIR", dir).env("LP_HOST_CONFIG", dir).stdout(Stdio::null());
    command
}

/// An agent that serves this user, and the file of hosts that has it alone.
fn start_agent(dir: &Path) -> (Child, PathBuf) {
    let identity = command(dir).arg("identity").stdout(Stdio::piped()).output().expect("it can be started");
    std::fs::write(dir.join("launchers"), identity.stdout).expect("the directory is there");
    let mut agent = command(dir);
    let agent = agent.args(["agent", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn();
    let mut agent = agent.expect("it can be started");
    let mut lines = BufReader::new(agent.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("listening at ")).expect("it says where it listens");
    let (_, line) = line.split_once("listening at ").expect("it was just found");
    let (address, fingerprint) = line.split_once(", with the fingerprint ").expect("it says its fingerprint");
    let hosts = dir.join("hosts.toml");
    let text = format!("[hosts.this]\naddress = \"{address}\"\nfingerprint = \"{fingerprint}\"\n");
    std::fs::write(&hosts, text).expect("the directory is there");
    // Whatever it says later is nobody's to read, and must not hold it up.
    std::thread::spawn(move || lines.for_each(drop));
    (agent, hosts)
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in [Some(&mut self.run), self.agent.as_mut()].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
