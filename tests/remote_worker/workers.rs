//! The workers of a program as the agents of hosts start them: processes with a port and a lease each. What an agent and a
//! launcher do beside that is left out.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use command_fds::{CommandFdExt, FdMapping};
use lp_host::calls::ReplicaIndex;
use lp_host::courier::grpc::{Address, Connection, TlsPeer};
use lp_host::courier::{Exchange, Passes, Presence, Remote, RemoteLimits, RemoteMethod, RemoteProcess};
use lp_host::launch::Credentials;
use lp_host::lower;
use lp_host::plan::{LaunchType, Plan, ReplicaId};
use lp_host::program::Linked;
use lp_host::scheduler::Scheduler;
use lp_host::trust::{Identity, RunAuthority};
use lp_host::worker::{Caller, Order, ReplicaOrder};
use serde_json::{Value, json};

/// Where compiled components are kept, from one run of the tests to the next.
const CACHE: [&str; 2] = ["--cache", concat!(env!("CARGO_TARGET_TMPDIR"), "/remote-worker")];

/// The workers of a program.
pub struct Workers {
    pub plan: Plan,
    pub processes: Vec<Process>,
    pub authority: RunAuthority,
    credentials: Credentials,
    _dir: tempfile::TempDir,
}

/// One of them.
pub struct Process {
    pub child: Child,
    pub address: SocketAddr,
    commands: UnixStream,
    reports: BufReader<UnixStream>,
    lease: File,
}

impl Workers {
    /// Starts the workers of the program in `file` as processes of `binary`. Their leases hold for a day.
    pub fn start(binary: &Path, file: &Path) -> Self {
        let linked = Linked::load(file, &[]).expect("a valid program");
        let (plan, components) = lower(&linked, LaunchType::Remote);
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let write = |name: &str, value: Value| {
            std::fs::write(dir.path().join(name), value.to_string()).expect("there is room");
        };
        write("plan.json", json!(plan));
        write("components.json", json!(components));
        let credentials = Credentials::random(&plan, &Scheduler::default()).expect("there is randomness");
        let authority = RunAuthority::new("calm-fox").expect("there is randomness");
        let plan_file = dir.path().join("plan.json");
        let mut compiler = Command::new(binary);
        compiler.arg("worker").arg("--plan").arg(&plan_file).arg("--compile").args(CACHE).stdout(Stdio::null());
        assert!(compiler.status().expect("it can be started").success());
        let start = |index| Process::start(binary, &plan_file, index);
        let processes = (0..plan.workers.len()).map(start).collect();
        let mut workers = Self { plan, processes, authority, credentials, _dir: dir };
        workers.introduce();
        workers
    }

    /// Gives each worker its credentials, tells it where the others are, and starts its replicas.
    fn introduce(&mut self) {
        let places: Vec<_> = self.processes.iter().map(|process| process.address.to_string()).collect();
        for (index, process) in self.processes.iter_mut().enumerate() {
            process.tell(&json!({ "type": "secrets", "secrets": [] }));
            let mut credentials = self.credentials.of_worker(&self.plan, index);
            let tls = self.authority.issue(Identity::Worker(index), SystemTime::now());
            credentials.tls = Some(tls.expect("there is randomness"));
            let mut told = serde_json::to_value(credentials).expect("it is JSON");
            told["type"] = "credentials".into();
            process.tell(&told);
            for (worker, place) in places.iter().enumerate().filter(|(worker, _)| *worker != index) {
                process.order(&Order::Located { worker, address: Some(place.clone()) });
                for &replica in &self.plan.workers[worker].replicas {
                    process.order(&Order::Presence { replica, presence: Presence::Ready });
                }
            }
            for &replica in &self.plan.workers[index].replicas {
                process.order(&ReplicaOrder::Start.to(replica));
            }
        }
    }

    /// A replica to whoever runs the program, who calls it by the method at `path`.
    pub fn remote(&self, replica: ReplicaId, path: &'static str) -> Arc<Remote> {
        let worker = self.plan.workers.iter().position(|worker| worker.replicas.contains(&replica));
        let worker = worker.expect("every replica has a worker");
        let tls = self.authority.issue(Identity::Launcher, SystemTime::now()).expect("there is randomness");
        let tls = tls.client(Identity::Worker(worker), &Scheduler::default()).expect("an authority made it");
        let peer = TlsPeer::at(tls, self.processes[worker].address.to_string());
        let limits = RemoteLimits { in_flight_max: 64, message_bytes_max: 64 << 20 };
        let connection = Connection::new(Address::Tls(peer), Scheduler::default());
        let process = RemoteProcess::new(connection, limits, Scheduler::default());
        let credential = self.credentials.of(Caller::User, replica.node).expect("every node can be called").clone();
        let passes = Arc::new(Passes::from_iter([(None, credential)]));
        let methods = Arc::from([RemoteMethod::from_static(path)]);
        let label = self.plan.label(replica);
        Arc::new(Remote::new(label, ReplicaIndex(0), Exchange::new(0), process, passes, methods))
    }
}

impl Process {
    fn start(binary: &Path, plan: &Path, index: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are ports");
        let address = listener.local_addr().expect("it is bound");
        let lease = tempfile::tempfile().expect("a temporary file can be made");
        // Before the process begins: it ends where there is none.
        hold(&lease, Duration::from_hours(24));
        let (commands, channel) = UnixStream::pair().expect("there are sockets left");
        let sockets: [OwnedFd; 2] = [listener.into(), lease.try_clone().expect("there are files left").into()];
        let mut command = Command::new(binary);
        command.arg("worker").arg("--plan").arg(plan).args(["--index", &index.to_string()]).args(CACHE).env_clear();
        command.env("LISTEN_FDS", "2").stderr(Stdio::piped());
        command.stdin(OwnedFd::from(channel.try_clone().expect("there are files left"))).stdout(OwnedFd::from(channel));
        let mappings = (3..).zip(sockets).map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.collect()).expect("the numbers differ");
        let reports = BufReader::new(commands.try_clone().expect("there are files left"));
        Process { child: command.spawn().expect("it can be started"), address, commands, reports, lease }
    }

    /// Has the lease hold for so long from now on.
    pub fn hold(&self, time: Duration) {
        hold(&self.lease, time);
    }

    pub fn order(&mut self, order: &Order) {
        self.tell(&json!({ "type": "order", "order": order }));
    }

    fn tell(&mut self, command: &Value) {
        writeln!(self.commands, "{command}").expect("the worker is there");
    }

    /// The next report of a kind.
    pub fn report(&mut self, kind: &str) -> Value {
        loop {
            let mut line = String::new();
            self.reports.read_line(&mut line).expect("reports are text");
            let report: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no `{kind}`: {line}"));
            if report["type"] == kind {
                return report;
            }
        }
    }

    /// Waits for its end, and gives what it wrote to its stderr.
    pub fn end(&mut self) -> String {
        self.child.wait().expect("the child can be waited for");
        let mut text = String::new();
        let stderr = self.child.stderr.as_mut().expect("it is piped");
        stderr.read_to_string(&mut text).expect("messages are text");
        text
    }
}

fn hold(lease: &File, time: Duration) {
    let until = Scheduler::default().boot_time() + time;
    let until = u64::try_from(until.as_millis()).expect("no machine runs for so long");
    lease.write_all_at(&until.to_le_bytes(), 0).expect("there is room");
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
