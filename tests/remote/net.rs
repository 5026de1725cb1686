//! Networks of the tests, made of namespaces, whose links can be cut or bad.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::host;

/// Namespaces of the network: one for each host and for the launcher, joined by a bridge in one of its own.
pub struct Net {
    name: String,
    hosts: usize,
    /// Passes packets on, where links are bad. It ends with its stdin.
    relay: Option<Child>,
}

/// What joins an end to the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// A pair of virtual interfaces.
    Good,
    /// A relay, which keeps each packet for 10 ms and loses one of a hundred.
    Bad,
}

impl Links {
    /// Those of all tests over hosts that don't say: bad with `LP_TEST_LINKS=bad`, which takes long and is for people.
    pub fn of_tests() -> Self {
        match std::env::var("LP_TEST_LINKS").as_deref() {
            Ok("bad") => Links::Bad,
            _ => Links::Good,
        }
    }
}

impl Net {
    /// So many hosts; `None` where the machine has no namespaces, or for bad links no virtual interfaces of processes.
    pub fn new(hosts: usize, links: Links) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut net = Self { name: format!("lpt{}x{number}", std::process::id()), hosts, relay: None };
        let switch = net.switch();
        let mut made = ip(&["netns", "add", &switch])
            && ip(&["-n", &switch, "link", "add", "name", "sw0", "type", "bridge"])
            && ip(&["-n", &switch, "link", "set", "sw0", "up"])
            && (0..=hosts).all(|end| ip(&["netns", "add", &net.end(end)]));
        made = made
            && match links {
                Links::Good => (0..=hosts).all(|end| net.join(end)),
                Links::Bad => net.relay(),
            };
        for end in 0..=hosts {
            let (namespace, port) = (net.end(end), format!("p{end}"));
            made = made
                && ip(&["-n", &switch, "link", "set", &port, "master", "sw0", "up"])
                && ip(&["-n", &namespace, "addr", "add", &format!("{}/24", Self::address(end)), "dev", "eth0"])
                && ip(&["-n", &namespace, "link", "set", "eth0", "up"])
                && ip(&["-n", &namespace, "link", "set", "lo", "up"]);
        }
        made.then_some(net)
    }

    /// Makes the interfaces of an end and of its port.
    fn join(&self, end: usize) -> bool {
        let (namespace, port) = (self.end(end), format!("p{end}"));
        let switch = self.switch();
        ip(&["-n", &switch, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &namespace])
    }

    /// Starts the relay, which makes the interfaces of all ends and ports.
    fn relay(&mut self) -> bool {
        let mut relay = Command::new("python3");
        relay.arg(host::root().join("tests/remote/relay.py")).args(["10", "0.01", &self.switch()]);
        relay.args((0..=self.hosts).map(|end| self.end(end)));
        let Ok(mut child) = relay.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else { return false };
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        let is_ready = BufReader::new(stdout).read_line(&mut line).is_ok() && line == "ready\n";
        self.relay = Some(child);
        is_ready
    }

    fn switch(&self) -> String {
        format!("{}s", self.name)
    }

    /// The namespace of a host or of the launcher.
    pub fn end(&self, end: usize) -> String {
        format!("{}h{end}", self.name)
    }

    /// What runs the rest of its command on a host, or where the launcher is, which is the last one.
    pub fn enter(&self, end: usize) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.end(end)]);
        inside
    }

    /// By which the others reach a host.
    pub fn address(end: usize) -> String {
        format!("10.77.0.{}", end + 1)
    }

    /// Cuts a host off, or joins it again.
    pub fn set_up(&self, host: usize, up: bool) {
        let state = if up { "up" } else { "down" };
        assert!(ip(&["-n", &self.switch(), "link", "set", &format!("p{host}"), state]));
    }

    /// Has nothing that `from` sends arrive at `to`, without either being told. The launcher is the last host.
    pub fn cut(&self, from: usize, to: usize) {
        let (namespace, address) = (self.end(from), Self::address(to));
        let nobody = "02:00:00:00:00:01";
        assert!(ip(&[
            "-n",
            &namespace,
            "neigh",
            "replace",
            &address,
            "lladdr",
            nobody,
            "nud",
            "permanent",
            "dev",
            "eth0"
        ]));
    }

    /// The number of the launcher among the ends.
    pub fn launcher_end(&self) -> usize {
        self.hosts
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for end in 0..=self.hosts {
            ip(&["netns", "del", &self.end(end)]);
        }
        ip(&["netns", "del", &self.switch()]);
        if let Some(relay) = &mut self.relay {
            drop(relay.stdin.take());
            let _ = relay.wait();
        }
    }
}

fn ip(arguments: &[&str]) -> bool {
    let done = Command::new("ip").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}
