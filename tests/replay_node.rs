//! Replay nodes of programs: what is kept, who may call, why calls wait, and what is told.

use bytes::Bytes;
use h2::SendStream;
use h2::client::ResponseFuture;
use http::Request;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::grpc::address;
use crate::hostile::high_water_kib;
use crate::run::Program;
use crate::runs::{Machine, eventually};
use crate::{examples, host, languages};

/// A replay node with two tables, and a folder for checkpoints.
const REPLAY: &str = "
[nodes.replay]
type = 'replay'
checkpoint = { dir = 'checkpoints', keep = 2 }
restart = { policy = 'on-failure', backoff = '1ms' }
tables = [
    { name = 'experience', max-size = 100, rate-limiter = { min-size = 3 } },
    { name = 'queue', max-size = 10, rate-limiter = { queue = 1 } },
]
";

/// A call that writes so many items of one step to a table.
fn write(table: &str, items: usize) -> [String; 3] {
    let item = format!(
        "{{table: \"{table}\", priority: 1, columns: [{{source: 0, spans: [{{first: 0, count: 1}}], squeeze: true}}]}}"
    );
    [
        "{id: 1, episode: 1, first: 0, keep: 0}".to_owned(),
        "[some({dtype: int32, shape: [1], data: [7, 0, 0, 0]})]".to_owned(),
        format!("[{}]", vec![item; items].join(", ")),
    ]
}

fn sample(table: &str, count: usize, timeout_ms: Option<u64>) -> String {
    let timeout = timeout_ms.map_or("none".to_owned(), |timeout| format!("some({timeout})"));
    format!("{{table: \"{table}\", count: {count}, timeout-ms: {timeout}, distinct: false}}")
}

/// The exit code of a call of the replay node, with what it prints.
fn call(machine: &Machine, method: &str, arguments: &[String]) -> (Option<i32>, String) {
    let mut words = vec!["call", "test/replay", method];
    words.extend(arguments.iter().map(String::as_str));
    let (code, stdout, stderr) = machine.screen(&words);
    (code, stdout + &stderr)
}

#[track_caller]
fn called(machine: &Machine, method: &str, arguments: &[String]) -> String {
    let (code, said) = call(machine, method, arguments);
    assert_eq!(code, Some(0), "{said}");
    said
}

/// The only replica of the only run.
fn replica(machine: &Machine) -> Option<Value> {
    machine.ps().first().and_then(|run| run["replicas"].get(0).cloned()).filter(|it| it["state"] == "running")
}

/// How many items a table of the only run has, once the node is up.
fn size(machine: &Machine, table: &str) -> u64 {
    let info = called(machine, "info", &[]);
    let of_table = info.split(&format!("name: \"{table}\", size: ")).nth(1).expect("the table is there");
    of_table.split(',').next().and_then(|size| size.parse().ok()).expect("a number")
}

#[test]
fn what_was_written_to_a_checkpoint_is_there_after_a_kill_and_after_another_run() {
    let (machine, program) = (Machine::new(), Program::new(REPLAY));
    let going = machine.start(&program, &["--launch-type", "processes"]);
    eventually("the node is up", || replica(&machine).is_some());
    called(&machine, "write", &write("experience", 5));
    let path = called(&machine, "checkpoint", &[]);
    assert!(path.contains(&program.dir.path().join("checkpoints").display().to_string()), "{path}");
    called(&machine, "write", &write("experience", 2));
    assert_eq!(size(&machine, "experience"), 7);
    let pid = replica(&machine).and_then(|it| it["pid"].as_i64()).expect("it has a process");
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid is not 0");
    kill_process(pid, Signal::KILL).expect("it is there");
    eventually("it is up again", || replica(&machine).is_some_and(|it| it["restarts"] == 1));
    assert_eq!(size(&machine, "experience"), 5);
    // What it has again is what was written.
    let sampled = called(&machine, "sample-batch", &[sample("experience", 2, None)]);
    assert!(sampled.contains("columns: [{dtype: int32, shape: [2], data: [7, 0, 0, 0, 7, 0, 0, 0]}]"), "{sampled}");
    going.signal(Signal::TERM);
    let (_, _, stderr) = going.end();
    assert!(stderr.contains("`replay/0`: loaded ") && stderr.contains(" with 5 items"), "{stderr}");
    // Another configuration holds, and is told; what is damaged is refused, and told.
    std::fs::create_dir_all(program.dir.path().join("checkpoints/9999/x")).expect("it can be made");
    std::fs::write(program.dir.path().join("checkpoints/9999/DONE"), "").expect("it can be written");
    let other = REPLAY.replace("max-size = 100", "max-size = 50");
    std::fs::write(program.path(), format!("name = \"test\"\n{other}")).expect("it can be written");
    let going = machine.start(&program, &[]);
    eventually("the node is up", || replica(&machine).is_some());
    assert_eq!(size(&machine, "experience"), 5);
    going.signal(Signal::TERM);
    let (_, _, stderr) = going.end();
    for told in ["checkpoints/9999: tables.tfrecord", "table `experience` has the max_size 50; the checkpoint has 100"]
    {
        assert!(stderr.contains(told), "{told}\n{stderr}");
    }
}

#[test]
fn who_waits_and_why_is_in_ps_and_waiting_ends_with_the_program() {
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let (machine, program) = (Machine::new(), Program::new(REPLAY));
        let going = machine.launch(&program, launch_type);
        eventually("the node is up", || replica(&machine).is_some());
        let (code, said) = call(&machine, "sample", &[sample("experience", 1, Some(1))]);
        assert!(code == Some(1) && said.contains("deadline exceeded"), "{code:?} {said}");
        std::thread::scope(|scope| {
            let sampling = scope.spawn(|| call(&machine, "sample", &[sample("experience", 1, None)]));
            let writing = scope.spawn(|| call(&machine, "write", &write("queue", 3)));
            eventually("both wait", || replica(&machine).is_some_and(|it| it["waits"][1].is_string()));
            let table = machine.data(&["ps"]);
            for wait in [
                "replay/0 waits: a sample of `experience` for ",
                "s: the table has 0 of the 3 items that must be there before any is sampled",
                "replay/0 waits: an insert into `queue` and 1 more for ",
                "s: 1 inserts × 1 − 0 samples = 1; one more insert would bring that above max_diff (1)",
            ] {
                assert!(table.contains(wait), "{wait}\n{table}");
            }
            // The one goes on when there is what it waits for, the other one when nobody waits any more.
            called(&machine, "write", &write("experience", 3));
            let (code, said) = sampling.join().expect("no panic");
            assert_eq!(code, Some(0), "{said}");
            going.signal(Signal::TERM);
            let (code, said) = writing.join().expect("no panic");
            assert_eq!(code, Some(1), "{said}");
        });
        going.end();
    }
}

/// A thousand streams to a replay node at `address`, over ten connections, of which half have begun a message that never ends.
async fn idle_streams(address: &str) -> Vec<(ResponseFuture, SendStream<Bytes>)> {
    let mut streams = Vec::new();
    for _ in 0..10 {
        let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let (sender, connection) = h2::client::handshake(stream).await.expect("it speaks HTTP/2");
        tokio::spawn(connection);
        for number in 0..100 {
            let method = ["InsertStream", "SampleStream"][number / 2 % 2];
            let uri = format!("http://a/deepmind.reverb.ReverbService/{method}");
            let request = Request::post(uri).header("content-type", "application/grpc").body(()).expect("it is one");
            let mut sender = sender.clone().ready().await.expect("there is room for a hundred streams");
            let (response, mut send) = sender.send_request(request, false).expect("it is open");
            if number % 2 == 0 {
                send.send_data(Bytes::from_static(&[0, 0, 1, 0, 0, 10]), false).expect("it is open");
            }
            streams.push((response, send));
        }
    }
    streams
}

#[test]
fn a_thousand_idle_streams_cost_little_and_hold_up_nobody() {
    let replay = REPLAY.replace("type = 'replay'", "type = 'replay'\nlisten = '127.0.0.1:0'");
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let (machine, program) = (Machine::new(), Program::new(&replay));
        let mut going = machine.launch(&program, launch_type);
        let address = address(&mut going);
        eventually("the node is up", || replica(&machine).is_some());
        let pid = replica(&machine).and_then(|it| it["pid"].as_u64()).unwrap_or(u64::from(going.child.id()));
        let resident_kib = || high_water_kib(u32::try_from(pid).expect("a pid")).expect("it is there");
        called(&machine, "write", &write("experience", 5));
        let before = resident_kib();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
        let streams = runtime.block_on(idle_streams(&address));
        called(&machine, "write", &write("experience", 5));
        called(&machine, "sample-batch", &[sample("experience", 2, None)]);
        let cost = resident_kib() - before;
        println!("{launch_type}: {cost} KiB");
        assert!(cost < 64 << 10, "{} streams cost {cost} KiB under {launch_type}", streams.len());
        drop((streams, runtime));
        assert_eq!(size(&machine, "experience"), 10);
        going.signal(Signal::TERM);
        assert_eq!(going.child.wait().expect("it can be waited for").code(), Some(143), "{launch_type}");
    }
}

/// A node in Python that uses all of the SDK, and asks for what can't be.
const PYTHON: &str = "
[nodes.replay]
type = 'replay'
checkpoint = { dir = 'checkpoints' }
tables = [
    { name = 'experience', max-size = 100, sampler = { prioritized = 1.0 } },
    { name = 'types', max-size = 100 },
]
[nodes.parts]
type = 'replay'
replicas = 2
tables = [{ name = 'experience', max-size = 100 }]
[nodes.small]
type = 'replay'
limits = { memory = '1MiB' }
at-limit = 'block'
tables = [{ name = 'experience', max-size = 100 }]
[nodes.learner]
component = 'COMPONENT'
[nodes.learner.handles]
replay = { node = 'replay', access = ['read', 'write', 'admin'] }
parts = 'parts'
small = 'small'
look = { node = 'replay', access = ['read'] }
";

#[test]
fn a_node_in_python_uses_all_of_it_and_is_told_what_it_may_not() {
    let component = match languages::build("tests/replay/python") {
        Ok(component) => component,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let expected = include_str!("replay/python/expected.txt");
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let program = Program::new(&PYTHON.replace("COMPONENT", &component.display().to_string()));
        let output = host::launched(program.command(), launch_type).output().expect("the binary runs");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{launch_type}: {stdout}{stderr}");
        let lines: Vec<_> = stdout.lines().map(|line| line.split_once("│ ").map_or(line, |(_, line)| line)).collect();
        assert_eq!(lines, expected.lines().collect::<Vec<_>>(), "{launch_type}: {stderr}");
        let denied =
            "denied: `learner/0` tried to use a handle `look`: its handles of `writer` are `parts`, `replay`, `small`";
        assert!(stderr.contains(denied), "{launch_type}: {stderr}");
    }
}

#[test]
fn the_actors_and_the_learner_share_a_node_of_several_replicas() {
    let overrides = ["nodes.replay.replicas=3".to_owned()];
    examples::check("actor-learner", lp_host::plan::LaunchType::Processes, &overrides);
}
