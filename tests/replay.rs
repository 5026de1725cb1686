//! The stock client of Reverb against a replay service and against the original: it has to see the same.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use lp_host::replay::checkpoint::Checkpointer;
use lp_host::replay::service::Service;
use lp_host::replay::table::{
    Chunk, ChunkHead, Gauge, Item, ItemKey, LimiterSpec, SelectorKind, Table, TableSpec, Trajectory,
};
use lp_host::scheduler::Scheduler;
use serde_json::Value;

use crate::run::Going;
use crate::runs::{Machine, eventually};
use crate::{host, python};

/// The last release. It needs one minor version of TensorFlow and Python 3.11 at most.
const PACKAGES: [&str; 2] = ["dm-reverb==0.14.0", "tensorflow-cpu~=2.15.0"];

const SERVER: &str = env!("CARGO_BIN_EXE_replay-server");

/// What each case of `replay/conformance.py` comes to against a server.
fn outcomes(python: &Path, server: &str) -> BTreeMap<String, Value> {
    let mut script = python::script(python, "replay/conformance.py");
    let printed = python::run(script.arg(server)).unwrap_or_else(|error| panic!("{server}: {error}"));
    let lines = printed.lines().map(|line| serde_json::from_str(line).expect("the script prints JSON"));
    lines.map(|(name, outcome): (String, Value)| (name, outcome)).collect()
}

#[test]
fn the_stock_client_of_reverb_sees_no_difference() {
    let python = match python::environment("python3.11", &PACKAGES) {
        Ok(python) => python,
        Err(reason) => return eprintln!("skipped: there is no Python 3.11 with dm-reverb: {reason}"),
    };
    let (mut ours, theirs) = (outcomes(&python, SERVER), outcomes(&python, "original"));
    // What either writes, the other one loads as if it were its own.
    for crossed in ["theirs here", "ours there"] {
        assert_eq!(ours.remove(crossed), theirs.get("checkpoint").cloned(), "{crossed}");
    }
    let kills = ours.remove("kills");
    assert_eq!(kills, Some(serde_json::json!([[], true])), "servers that were killed while they wrote a checkpoint");
    assert!(theirs.len() > 15, "{theirs:?}");
    for (name, outcome) in &theirs {
        assert_eq!(ours.get(name), Some(outcome), "case `{name}`");
    }
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn a_stock_client_and_a_guest_read_what_the_other_one_writes() {
    // The example `replay-python`, at another port.
    let python = match python::environment("python3.11", &PACKAGES) {
        Ok(python) => python,
        Err(reason) => return eprintln!("skipped: there is no Python 3.11 with dm-reverb: {reason}"),
    };
    host::build(&["calculator"]);
    let dir = host::root().join("examples/replay-python");
    let machine = Machine::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.expect("a port is free").to_string();
    let mut command = machine.command(&["run", "--set", &format!("nodes.replay.listen={address}")]);
    command.arg(dir.join("program.toml"));
    let going = Going::spawn(command);
    eventually("it listens", || std::net::TcpStream::connect(&address).is_ok());
    let client = python::run(Command::new(&python).arg(dir.join("client.py")).arg(&address));
    let printed = client.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(printed, std::fs::read_to_string(dir.join("expected.txt")).expect("it is there"));
    going.signal(rustix::process::Signal::TERM);
    let (_, stdout, stderr) = going.end();
    assert_eq!(stdout.matches("3 numbers, times 10").count(), 2, "{stdout}{stderr}");
}

/// Writes a checkpoint of a table with two items of one chunk to `folder`.
fn write_checkpoint(folder: &Path) -> PathBuf {
    let spec = TableSpec {
        name: "steps".to_owned(),
        sampler: SelectorKind::Prioritized { exponent: 0.6 },
        remover: SelectorKind::Fifo,
        max_size: 10,
        max_times_sampled: None,
        limiter: LimiterSpec::min_size(1),
        signature: None,
    };
    let gauge = Gauge::default();
    // `ChunkData` with the key 7, and a `FlatTrajectory` of one column with a slice of it.
    let message = [0x08, 7];
    let chunk = Chunk::new(ChunkHead::read(&message).expect("a chunk"), message.to_vec().into(), &gauge);
    let item = |key| {
        let (trajectory, chunks) = Trajectory::read(&[0x0a, 4, 0x0a, 2, 0x08, 7]).expect("a trajectory");
        Item::new(ItemKey(key), trajectory, &chunks, |_| Some(chunk.clone())).expect("it has its chunk")
    };
    let table = Table::new(spec).expect("a good table");
    let service = Service::new(vec![table], gauge.clone(), Scheduler::default()).expect("its name is its own");
    let runtime = tokio::runtime::Runtime::new().expect("it can be made");
    runtime.block_on(async {
        for key in [1, 2] {
            service.insert("steps", item(key), 1.0, None).await.expect("there is room");
        }
        let keep = NonZeroUsize::new(2).expect("2 is not 0");
        Checkpointer::new(service, folder.to_owned(), keep).write().await.expect("it can be written")
    })
}

/// What `lp-host replay inspect` says of `dir`, and how it ends.
fn inspect(dir: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(host::BINARY);
    let output = command.args(["replay", "inspect"]).args(words).arg(dir).output().expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_tables_of_a_checkpoint_are_shown() {
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let path = write_checkpoint(folder.path());
    for dir in [&path, folder.path()] {
        let (code, stdout, stderr) = inspect(dir, &["--format", "json"]);
        assert_eq!(code, Some(0), "{stderr}");
        let shown: Value = serde_json::from_str(&stdout).expect("it is JSON");
        let table = &shown["tables"][0];
        assert_eq!(
            (&shown["chunks"], &table["name"], &table["items"], &table["max_size"]),
            (&1.into(), &"steps".into(), &2.into(), &10.into())
        );
        assert_eq!(table["limiter"]["max_diff"], Value::Null, "it has no such bound");
    }
    let (_, stdout, _) = inspect(folder.path(), &[]);
    assert!(stdout.contains("table `steps`\n  items:              2 of at most 10\n"), "{stdout}");
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_said_to_be_when_it_is_named() {
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let (first, second) = (write_checkpoint(folder.path()), write_checkpoint(folder.path()));
    std::fs::write(second.join("items.tfrecord"), "no records").expect("it can be written");
    let (code, stdout, stderr) = inspect(folder.path(), &[]);
    assert!(code == Some(0) && stdout.contains(&first.display().to_string()), "{stdout}");
    assert!(stderr.contains(&format!("`{}` is passed over: items.tfrecord", second.display())), "{stderr}");
    let (code, _, stderr) = inspect(&second, &[]);
    assert!(code == Some(3) && stderr.contains("items.tfrecord"), "{stderr}");
    let empty = tempfile::tempdir().expect("a temporary directory can be made");
    let (code, _, stderr) = inspect(empty.path(), &[]);
    assert!(code == Some(3) && stderr.contains("has no whole checkpoint"), "{stderr}");
    let (code, _, stderr) = inspect(&empty.path().join("gone"), &[]);
    assert!(code == Some(2) && stderr.contains("is no folder"), "{stderr}");
}
