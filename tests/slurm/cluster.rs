//! A real Slurm of the tests' own: three nodes on the loopback interface, with a key, sockets and a folder that nobody else has.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::remote::{command_line, environment, processes};
use crate::runs::{Machine, eventually};

/// The packages of Debian that have all of it.
const PACKAGES: [&str; 4] = ["slurmctld", "slurmd", "slurm-client", "munge"];

/// The machines of a cluster. Each has 16 processors, whatever this one has, and two devices that stand in for GPUs.
const NODES: [&str; 3] = ["node1", "node2", "node3"];

/// Starts the daemons, says so, and ends them with all jobs when its stdin ends: with the tests, whatever becomes of them.
const KEEPER: &str = r#"
exec 3<&0 </dev/null
munged --force --key-file=etc/munge.key --socket="$PWD/run/munge.sock" --pid-file="$PWD/run/munged.pid" \
  --log-file="$PWD/log/munged.log" --seed-file="$PWD/run/munge.seed" --num-threads=2 >&2 || exit
slurmctld -f "$SLURM_CONF" >&2 || exit
for node in "$@"; do slurmd -f "$SLURM_CONF" -N "$node" >&2 || exit; done
echo up
read -r _ <&3
scancel --user="$(id -un)"
for turn in $(seq 50); do
  squeue --noheader | grep -q . || break
  sleep 0.1
done
for process in /proc/[0-9]*; do
  case "$(readlink "$process/cwd")/" in "$PWD"/* | "$SHARED"/*) [ "${process#/proc/}" = $$ ] || kill -KILL "${process#/proc/}" ;; esac
done
kill "$(cat run/munged.pid)"
cd / && rm -rf "$OLDPWD" "$SHARED"
"#;

/// A Slurm that runs.
pub struct Cluster {
    dir: TempDir,
    shared: TempDir,
    keeper: Child,
}

impl Cluster {
    /// A new one, all of whose nodes are idle; `None`, after saying why, where there is no Slurm.
    pub fn new() -> Option<Self> {
        Self::with("SlurmdTimeout=20\n")
    }

    /// The same with further lines of configuration.
    pub fn with(lines: &str) -> Option<Self> {
        if let Err(reason) = installed() {
            eprintln!("skipped: {reason}");
            return None;
        }
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        // The directory of temporary files is no place for what nodes share, and lp-host refuses it.
        let shared = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory can be made");
        configure(dir.path(), lines);
        let mut keeper = Command::new("sh");
        // What cleans up does not end by the Ctrl-C that ends the tests.
        keeper.process_group(0);
        keeper
            .args(["-c", KEEPER, "sh"])
            .args(NODES)
            .current_dir(dir.path())
            .env("SLURM_CONF", conf(dir.path()))
            .env("SHARED", shared.path());
        let log = fs::File::create(dir.path().join("log/keeper.log")).expect("it can be made");
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().expect("sh runs");
        let cluster = Self { dir, shared, keeper };
        eventually("all nodes are idle", || {
            cluster.said("sinfo", &["--noheader", "--Node", "--states=idle", "--partition=debug"]).lines().count() == 3
        });
        Some(cluster)
    }

    /// A command whose Slurm this is.
    pub fn command(&self, mut command: Command) -> Command {
        command.env("SLURM_CONF", conf(self.dir.path())).env("LP_HOST_SHARED_DIR", self.shared.path());
        command
    }

    /// `lp-host` with these words, on a machine.
    pub fn lp_host(&self, machine: &Machine, words: &[&str]) -> Command {
        let mut command = self.command(machine.command(words));
        command.env("LP_HOST_SHARED_DIR", self.dir_of(machine));
        command
    }

    /// What a command of Slurm prints.
    pub fn said(&self, program: &str, words: &[&str]) -> String {
        let output = self.command(Command::new(program)).args(words).output().expect("it is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The jobs that are not over, as `ID STATE NAME`.
    pub fn jobs(&self) -> Vec<String> {
        self.said("squeue", &["--noheader", "--format=%i %T %j"]).lines().map(str::to_owned).collect()
    }

    /// Kills everything on a node at once, as a machine that goes away does: its daemon, what that has started, and tasks.
    pub fn lose(&self, node: &str) {
        let log = self.dir.path().join(format!("log/slurmd-{node}.log"));
        let (conf, name) = (conf(self.dir.path()), format!("SLURMD_NODENAME={node}"));
        let conf = format!("SLURM_CONF={}", conf.display());
        let is_there = |&pid: &i32| {
            let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            let logs = files.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file == log);
            let environment = environment(pid);
            logs || environment.contains(&conf) && environment.contains(&name)
        };
        for pid in processes(|pid| is_there(&pid)) {
            let _ = kill_process(Pid::from_raw(pid).expect("no process is 0"), Signal::KILL);
        }
    }

    /// The processes that a job has started, with their command lines.
    pub fn processes(&self, job: &str) -> Vec<(i32, Vec<String>)> {
        let conf = format!("SLURM_CONF={}", conf(self.dir.path()).display());
        let job = format!("SLURM_JOB_ID={job}");
        let is_ours = |pid| {
            let environment = environment(pid);
            environment.contains(&conf) && environment.contains(&job)
        };
        processes(is_ours).into_iter().map(|pid| (pid, command_line(pid))).collect()
    }

    /// The process of a unit of a job.
    pub fn unit(&self, job: &str, name: &str) -> Option<i32> {
        let is_unit =
            |line: &[String]| line.get(1).is_some_and(|verb| verb == "unit") && line.iter().any(|word| word == name);
        self.processes(job).into_iter().find(|(_, line)| is_unit(line)).map(|(pid, _)| pid)
    }

    /// The number of the job that was launched from a machine last, and the id of its run.
    pub fn job(&self, machine: &Machine) -> (String, String) {
        let mut found = None;
        eventually("the job is submitted", || {
            let dirs = fs::read_dir(self.dir_of(machine)).expect("it can be listed").flatten();
            let known = |dir: fs::DirEntry| {
                let job = fs::read_to_string(dir.path().join("job")).ok()?;
                Some((job.trim().to_owned(), dir.file_name().to_string_lossy().into_owned()))
            };
            found = dirs.filter_map(known).max_by_key(|(job, _)| job.parse::<u32>().unwrap_or(0));
            found.is_some()
        });
        found.expect("it was found")
    }

    /// The folder in which programs that are launched from a machine are shared. All have one copy of lp-host.
    pub fn dir_of(&self, machine: &Machine) -> PathBuf {
        let dir = self.shared.path().join(machine.runtime_dir().file_name().expect("it has a name"));
        if !dir.is_dir() {
            fs::create_dir_all(self.shared.path().join("bin")).expect("it can be made");
            fs::create_dir(&dir).expect("it can be made");
            std::os::unix::fs::symlink("../bin", dir.join("bin")).expect("it can be made");
        }
        dir
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// The one of all tests that break nothing of it.
pub fn shared() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::new).as_ref()
}

/// Installs Slurm where apt can.
fn installed() -> Result<(), &'static str> {
    static INSTALLED: OnceLock<Result<(), &'static str>> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        let there = || ["slurmctld", "slurmd", "sbatch", "munged"].iter().all(|name| is_there(name));
        if there() {
            return Ok(());
        }
        let apt = |words: &[&str]| {
            let mut apt = Command::new("apt-get");
            apt.args(words).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
            apt.output().is_ok_and(|output| output.status.success())
        };
        let install = [&["install", "-y", "-qq", "--no-install-recommends"][..], &PACKAGES].concat();
        if !(apt(&install) || apt(&["update", "-qq"]) && apt(&install)) {
            return Err("there is no Slurm, and apt-get installs none");
        }
        if there() { Ok(()) } else { Err("the packages of Slurm lack its programs") }
    })
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn conf(dir: &Path) -> PathBuf {
    dir.join("etc/slurm.conf")
}

fn configure(dir: &Path, lines: &str) {
    for name in ["etc", "state", "spool", "log", "run", "spool/node1", "spool/node2", "spool/node3"] {
        fs::create_dir(dir.join(name)).expect("it can be made");
    }
    // munged serves whoever can reach its socket.
    for path in [dir.to_owned(), dir.join("run"), dir.join("etc")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let key = dir.join("etc/munge.key");
    let mut random = [0; 1024];
    fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random)).expect("there is randomness");
    fs::write(&key, random).expect("it can be written");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let version = Command::new("slurmd").arg("-V").output().expect("it is installed").stdout;
    let cgroup = match String::from_utf8_lossy(&version).trim().strip_prefix("slurm-wlm 2") {
        Some(rest) if rest.starts_with(['0', '1', '2']) => "CgroupAutomount=no\n",
        // Without it, slurmd ends where there is no cgroup v2. Versions before don't know it.
        _ => "CgroupPlugin=disabled\n",
    };
    fs::write(dir.join("etc/cgroup.conf"), cgroup).expect("it can be written");
    fs::write(dir.join("etc/gres.conf"), "Name=gpu File=/dev/tty[1-2]\n").expect("it can be written");
    fs::write(conf(dir), lines.to_owned() + &config(dir)).expect("it can be written");
}

fn config(dir: &Path) -> String {
    let name = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let host = name("/proc/sys/kernel/hostname");
    let host = host.trim().split('.').next().unwrap_or_default().to_owned();
    let user = Command::new("id").arg("-un").output().expect("it is installed").stdout;
    let user = String::from_utf8_lossy(&user).trim().to_owned();
    // They are free now; nobody else asks for a port by its number here.
    let listeners: Vec<_> = (0..4).map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("there are ports")).collect();
    let ports: Vec<_> = listeners.iter().map(|port| port.local_addr().expect("it is bound").port()).collect();
    let mut config = CONFIG.replace("DIR", &dir.display().to_string()).replace("USER", &user);
    config = config.replace("HOST", &host).replace("CONTROLLER_PORT", &ports[0].to_string());
    for (node, port) in NODES.iter().zip(&ports[1..]) {
        let feature = if *node == "node3" { "fast" } else { "plain" };
        config.push_str(&format!(
            "NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=16 RealMemory=64000 Gres=gpu:2 \
             Feature={feature} State=UNKNOWN\n"
        ));
    }
    config.push_str("PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n");
    config.push_str("PartitionName=short Nodes=node1,node2 MaxTime=30 State=UP\n");
    config.push_str("PartitionName=gpu Nodes=node3 MaxTime=INFINITE State=UP\n");
    config
}

/// What a Slurm on one machine needs, found by trying: `config_overrides` has nodes with more processors than there are,
/// a job that is requeued waits for `cred_expire`, and without `EnforcePartLimits` a request that no node can fulfil waits for ever.
const CONFIG: &str = "ClusterName=lp
SlurmctldHost=HOST(127.0.0.1)
SlurmctldPort=CONTROLLER_PORT
SlurmUser=USER
SlurmdUser=USER
AuthType=auth/munge
AuthInfo=socket=DIR/run/munge.sock,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=DIR/state
SlurmdSpoolDir=DIR/spool/%n
SlurmctldPidFile=DIR/run/slurmctld.pid
SlurmdPidFile=DIR/run/slurmd-%n.pid
SlurmctldLogFile=DIR/log/slurmctld.log
SlurmdLogFile=DIR/log/slurmd-%n.log
SlurmctldDebug=info
SlurmdDebug=info
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
EnforcePartLimits=ALL
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_min_age_reserve=0
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=2
MinJobAge=600
InactiveLimit=0
MessageTimeout=10
GresTypes=gpu
";
