//! Hosts for programs that run on several: agents in network namespaces that the tests make, where the machine allows that,
//! else on addresses of the loopback interface.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::net::{Links, Net};
use crate::host;
use crate::runs::eventually;

/// Agents, each with a folder of its own, and the file that names them.
pub struct Hosts {
    dir: TempDir,
    net: Option<Net>,
    agents: Vec<Agent>,
}

struct Agent {
    child: Child,
    dir: PathBuf,
    address: String,
}

/// How an agent is started.
#[derive(Clone, Copy, Default)]
pub struct Setting<'a> {
    /// Arguments beside those that make it an agent of the tests.
    pub args: &'a [&'a str],
    /// What is added to its table in the file of hosts.
    pub table: &'a str,
}

impl Hosts {
    /// Three of them, in namespaces if there are any.
    pub fn three() -> Self {
        Self::several(3, "")
    }

    /// So many of them, in namespaces if there are any. `head` is what their file begins with.
    pub fn several(count: usize, head: &str) -> Self {
        Self::new(Net::new(count, Links::of_tests()), &vec![Setting::default(); count], head)
    }

    /// Three in namespaces whose links take their time and lose packets; `None` where the machine has no such thing.
    pub fn far_apart() -> Option<Self> {
        let net = Net::new(3, Links::Bad)?;
        Some(Self::new(Some(net), &[Setting::default(); 3], ""))
    }

    /// One for each setting, on the loopback interface.
    pub fn on_loopback(settings: &[Setting<'_>]) -> Self {
        Self::new(None, settings, "")
    }

    fn new(net: Option<Net>, settings: &[Setting<'_>], head: &str) -> Self {
        if net.is_none() {
            eprintln!("the hosts are addresses of the loopback interface");
        }
        let mut hosts =
            Self { dir: tempfile::tempdir().expect("a temporary directory can be made"), net, agents: Vec::new() };
        let identity = hosts.launcher(Command::new(host::BINARY)).arg("identity").output().expect("the binary runs");
        assert!(identity.status.success());
        fs::write(hosts.file(), head).expect("it can be written");
        for (index, setting) in settings.iter().enumerate() {
            hosts.add(index, setting, &identity.stdout);
        }
        hosts
    }

    fn add(&mut self, index: usize, setting: &Setting<'_>, identity: &[u8]) {
        let dir = self.dir.path().join(format!("h{}", index + 1));
        fs::create_dir(&dir).expect("it can be made");
        fs::write(dir.join("launchers"), identity).expect("it can be written");
        let fingerprint = at(Command::new(host::BINARY), &dir).args(["agent", "--print-fingerprint"]).output();
        let fingerprint = String::from_utf8(fingerprint.expect("the binary runs").stdout).expect("it is text");
        let ip = self.net.as_ref().map_or_else(|| format!("127.0.0.{}", index + 1), |_| Net::address(index));
        let child = self.start_agent(index, &format!("{ip}:0"), setting.args);
        let address = address_in(&dir.join("log"));
        let table = format!(
            "[hosts.h{}]\naddress = \"{address}\"\nfingerprint = \"{}\"\n{}\n",
            index + 1,
            fingerprint.trim(),
            setting.table
        );
        let file = self.file();
        let before = fs::read_to_string(&file).unwrap_or_default();
        fs::write(&file, before + &table).expect("it can be written");
        self.agents.push(Agent { child, dir, address });
    }

    /// Starts the agent of a host, which listens when this returns.
    fn start_agent(&self, index: usize, listen: &str, arguments: &[&str]) -> Child {
        let dir = self.dir.path().join(format!("h{}", index + 1));
        let log = fs::File::create(dir.join("log")).expect("it can be made");
        let inside = self.net.as_ref().map(|net| net.end(index));
        // It ends with this process, whatever becomes of that.
        let script = "exec 3<&0; \"$@\" </dev/null & read -r _ <&3; kill $!; wait";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]);
        if let Some(namespace) = inside {
            command.args(["ip", "netns", "exec", &namespace]);
        }
        command.args([host::BINARY, "agent", "--listen", listen]).args(arguments);
        let mut command = at(command, &dir);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().expect("sh runs");
        eventually("the agent listens", || !address_in(&dir.join("log")).is_empty());
        child
    }

    /// Starts an agent again that was killed, where it was, with no arguments of its own and an empty log.
    pub fn restart(&mut self, host: usize) {
        let agent = &mut self.agents[host];
        drop(agent.child.stdin.take());
        agent.child.wait().expect("it can be waited for");
        let child = self.start_agent(host, self.address(host), &[]);
        self.agents[host].child = child;
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.agents.len()
    }

    /// The file of these hosts.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("hosts.toml")
    }

    /// A command as the launcher of these hosts gives it: from where it reaches them, and with its key.
    pub fn launcher(&self, command: Command) -> Command {
        let mut inside = match &self.net {
            Some(net) => {
                let mut inside = net.enter(net.launcher_end());
                inside.arg(command.get_program()).args(command.get_args());
                if let Some(dir) = command.get_current_dir() {
                    inside.current_dir(dir);
                }
                for (name, value) in command.get_envs() {
                    match value {
                        Some(value) => inside.env(name, value),
                        None => inside.env_remove(name),
                    };
                }
                inside
            }
            None => command,
        };
        inside.env("LP_HOST_CONFIG", self.dir.path().join("launcher")).env("LP_HOST_HOSTS", self.file());
        inside
    }

    /// What the agent of a host said.
    pub fn log(&self, host: usize) -> String {
        fs::read_to_string(self.agents[host].dir.join("log")).unwrap_or_default()
    }

    /// Where the agent of a host listens.
    pub fn address(&self, host: usize) -> &str {
        &self.agents[host].address
    }

    /// The directories of what runs on the hosts.
    pub fn lease_dirs(&self) -> Vec<PathBuf> {
        let leases = self.agents.iter().map(|agent| agent.dir.join("lp-host/leases"));
        let dirs = leases.flat_map(|leases| fs::read_dir(leases).into_iter().flatten());
        dirs.map(|entry| entry.expect("the entry can be read").path()).collect()
    }

    /// The namespaces that the hosts are in, if they are in any.
    pub fn net(&self) -> Option<&Net> {
        self.net.as_ref()
    }

    /// The processes of a host: its agent first, then those that it started.
    pub fn processes(&self, host: usize) -> Vec<i32> {
        let marker = format!("LP_HOST_CONFIG={}", self.agents[host].dir.display());
        let agents = processes(|pid| {
            environment(pid).contains(&marker)
                && command_line(pid).contains(&"agent".to_owned())
                && command_line(pid).first().is_some_and(|program| program == host::BINARY)
        });
        let dir = self.agents[host].dir.display().to_string();
        let workers = processes(|pid| {
            let line = command_line(pid);
            line.get(1).is_some_and(|verb| verb == "worker") && line.iter().any(|word| word.starts_with(&dir))
        });
        agents.into_iter().chain(workers).collect()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for agent in &mut self.agents {
            drop(agent.child.stdin.take());
        }
        for agent in &mut self.agents {
            let _ = agent.child.wait();
        }
    }
}

/// Where an agent listens, as its log says; empty if it does not yet.
fn address_in(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let address = log.split("listening at ").nth(1).and_then(|rest| rest.split(',').next());
    address.unwrap_or_default().to_owned()
}

/// A command with the folders of a host.
fn at(mut command: Command, dir: &Path) -> Command {
    command.env("LP_HOST_CONFIG", dir).env("LP_HOST_COMPONENTS", dir.join("components"));
    command.env("XDG_RUNTIME_DIR", dir).env("NO_COLOR", "1");
    command
}

pub fn processes(is_wanted: impl Fn(i32) -> bool) -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("there is /proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| is_wanted(pid)).collect()
}

fn words(file: &str, pid: i32) -> Vec<String> {
    let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    text.split(|&byte| byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

pub fn environment(pid: i32) -> Vec<String> {
    words("environ", pid)
}

pub fn command_line(pid: i32) -> Vec<String> {
    words("cmdline", pid)
}

/// The hosts of all tests that only need some. They are on the loopback interface, where everything can be reached from here, if
/// nobody asks for bad links.
pub fn shared() -> &'static Hosts {
    static HOSTS: OnceLock<Hosts> = OnceLock::new();
    HOSTS.get_or_init(|| match Links::of_tests() {
        Links::Good => Hosts::on_loopback(&[Setting::default(); 3]),
        Links::Bad => Hosts::far_apart().expect("there are namespaces and tap interfaces"),
    })
}
