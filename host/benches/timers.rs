//! How late timers, `ps` and signals are beside guests that never wait, through the real binary, as one table.

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use comfy_table::Table;
use common::guests::Guests;
use lp_host::observe::Registry;
use rustix::process::{Pid, Signal, kill_process};

/// The most guests that never wait.
const BUSY_MAX: usize = 4;
/// How often `ps` is run; the slowest counts.
const PS_RUN: u32 = 5;
/// How often the run is asked for each `ps`, as that asks it. Starting a process takes longer, and on a machine that is busy
/// otherwise no run can help that.
const ASKED: u32 = 20;
/// How late a bystander's timer may be, at the 99th percentile.
const LATE_MAX: Duration = Duration::from_millis(50);
/// How long `ps` and the end after a signal may take.
const ANSWER_MAX: Duration = Duration::from_millis(200);

/// Guests that never wait, or a node that they need.
struct Busy {
    /// What they do.
    name: &'static str,
    wat: &'static str,
    /// What program.toml says of their node beside its component.
    settings: &'static str,
    /// The text of the node `taker`, which they call.
    taker: Option<&'static str>,
}

const BUSY: [Busy; 7] = [
    busy("compute", include_str!("busy/compute.wat")),
    busy("fill 240 MiB of memory at once", include_str!("../../tests/guests/hostile/wat/fill_memory.wat")),
    busy("fill a table of 100,000 at once", include_str!("../../tests/guests/hostile/wat/fill_table.wat")),
    busy("get 16 MiB of random bytes at once", include_str!("../../tests/guests/hostile/wat/take_random_bytes.wat")),
    Busy {
        settings: "handles = { lists = 'taker' }",
        taker: Some(include_str!("busy/take_lists.wat")),
        ..busy("pass lists of 400,000 strings", include_str!("busy/pass_lists.wat"))
    },
    busy("poll 90,000 handles at once", include_str!("busy/poll.wat")),
    Busy {
        settings: "sandbox.dirs = [{ host = '.', guest = '/', access = 'read-write' }]",
        ..busy("use paths of 60 MiB", include_str!("busy/paths.wat"))
    },
];

const fn busy(name: &'static str, wat: &'static str) -> Busy {
    Busy { name, wat, settings: "", taker: None }
}

fn main() {
    let guests = Guests::build(&["bench-bystander"]);
    let replicas = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(BUSY_MAX));
    let mut table = Table::new();
    table.set_header(HEADER);
    for launch_type in ["threads", "processes"] {
        table.add_row(row("none", launch_type, &Beside::new(&guests, None, launch_type).measure()));
        for busy in BUSY {
            let measured = Beside::new(&guests, Some((&busy, replicas)), launch_type).measure();
            table.add_row(row(&format!("{replicas}: {}", busy.name), launch_type, &measured));
        }
    }
    println!("{table}");
}

const HEADER: [&str; 9] =
    ["busy guests", "launch type", "timer late: median", "99th", "most", "answer", "`ps`", "SIGTERM", "kept"];

struct Measured {
    /// The median, the 99th percentile and the most of a timer's lateness.
    late: [Duration; 3],
    /// From the question of `ps` to the run's answer.
    answer: Duration,
    /// From the start of `ps` to its end.
    ps: Duration,
    /// From the signal to the end of the process.
    ended: Duration,
}

fn row(busy: &str, launch_type: &str, measured: &Measured) -> [String; 9] {
    let Measured { late, answer, ps, ended } = measured;
    let millis = |time: &Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let kept = late[1] <= LATE_MAX && *ps <= ANSWER_MAX && *ended <= ANSWER_MAX;
    let [median, late, most] = late.each_ref().map(millis);
    let kept = if kept { "yes" } else { "no" };
    let [busy, launch_type, kept] = [busy, launch_type, kept].map(str::to_owned);
    [busy, launch_type, median, late, most, millis(answer), millis(ps), millis(ended), kept]
}

/// A program of a bystander and, in the same worker, guests that never wait.
struct Beside {
    dir: tempfile::TempDir,
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Beside {
    fn new(guests: &Guests, busy: Option<(&Busy, usize)>, launch_type: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let mut nodes = format!("[nodes.bystander]\ncomponent = '{}'\n", guests.path("bench-bystander").display());
        let mut together = vec!["bystander"];
        let mut add = |name: &'static str, wat: &str, settings: &str| {
            let wasm = wat::parse_str(wat).expect("the guest is well formed");
            std::fs::write(dir.path().join(format!("{name}.wasm")), wasm).expect("it can be written");
            nodes.push_str(&format!("[nodes.{name}]\ncomponent = '{name}.wasm'\n{settings}\n"));
            together.push(name);
        };
        if let Some((busy, replicas)) = busy {
            add("busy", busy.wat, &format!("replicas = {replicas}\n{}", busy.settings));
            let settings = format!("replicas = {replicas}");
            busy.taker.iter().for_each(|wat| add("taker", wat, &settings));
        }
        let toml = format!("name = 'timers'\ngrace = '1ms'\n{nodes}[colocate.together]\nnodes = {together:?}\n");
        std::fs::write(dir.path().join("program.toml"), toml).expect("it can be written");
        let mut command = lp_host(dir.path());
        command.arg("run").arg(dir.path().join("program.toml")).args(["--launch-type", launch_type]);
        let stderr = File::create(dir.path().join("stderr")).expect("it can be written");
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().expect("cargo has built lp-host");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { dir, child, stdout }
    }

    fn measure(mut self) -> Measured {
        let late = self.late();
        let times = (0..PS_RUN).map(|_| (self.answer(), self.ps()));
        let (answer, ps) = times.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1))).expect("it is asked several times");
        let pid = Pid::from_child(&self.child);
        let start = Instant::now();
        kill_process(pid, Signal::TERM).expect("it runs");
        self.child.wait().expect("it is a child");
        Measured { late, answer, ps, ended: start.elapsed() }
    }

    /// What the bystander says in the end.
    fn late(&mut self) -> [Duration; 3] {
        let line = self.stdout.by_ref().lines().map_while(Result::ok).find(|line| line.contains("late "));
        let line = line.unwrap_or_else(|| {
            let stderr = std::fs::read_to_string(self.dir.path().join("stderr"));
            panic!("the bystander never says how late its timers were: {}", stderr.unwrap_or_default());
        });
        let (_, late) = line.split_once("late ").expect("the line was found by it");
        let micros = late.split(' ').map(|number| number.parse().expect("they are numbers"));
        let late: Vec<_> = micros.map(Duration::from_micros).collect();
        late.try_into().expect("they are three")
    }

    /// The slowest of several answers.
    fn answer(&self) -> Duration {
        let registry = Registry::open(Some(self.dir.path()), self.dir.path()).expect("the run has made it");
        let runs = registry.runs().expect("it can be read");
        let answers = (0..ASKED).map(|_| {
            let start = Instant::now();
            let mut socket = UnixStream::connect(registry.control_socket(&runs[0])).expect("the run listens");
            socket.write_all(b"{\"request\":\"status\"}\n").expect("the run reads");
            let mut answer = String::new();
            BufReader::new(socket).read_line(&mut answer).expect("the run answers");
            assert!(answer.contains("bystander"), "the run answers: {answer}");
            start.elapsed()
        });
        answers.max().expect("it is asked several times")
    }

    fn ps(&self) -> Duration {
        let start = Instant::now();
        let output = lp_host(self.dir.path()).arg("ps").output().expect("cargo has built lp-host");
        assert!(String::from_utf8_lossy(&output.stdout).contains("timers"), "`ps` does not know the run");
        start.elapsed()
    }
}

/// lp-host with runs of its own.
fn lp_host(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lp-host"));
    command.env("XDG_RUNTIME_DIR", dir).env("LP_HOST_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"));
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}
