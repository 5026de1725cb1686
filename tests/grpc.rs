//! Nodes called by other gRPC clients: Python's stock `grpcio`, by stubs made from `lp-host proto` and by reflection.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use lp_host::plan::Plan;

use crate::run::{Going, Program};
use crate::runs::Machine;
use crate::{host, python};

/// A server that listens at a port of the system's choice, under a message limit of 40 MiB.
const SERVER: &str = "message-max = '40MiB'\n[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n\
    replicas = 2\nlisten = '127.0.0.1:0'\n\
    [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['print:up', 'wait-for-stop']\n";

/// The address that a run says its node listens at.
pub(crate) fn address(going: &mut Going) -> String {
    let mut stderr = BufReader::new(going.child.stderr.take().expect("stderr is piped"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("stderr can be read");
    let address = listening_at(&line).filter(|address| address.starts_with("127.0.0.1:"));
    let address = address.unwrap_or_else(|| panic!("{line}")).to_owned();
    // Whatever is said later must not fill the pipe.
    std::thread::spawn(move || stderr.lines().count());
    address
}

/// The address that a line says a node listens at, whichever host it is on.
pub(crate) fn listening_at(line: &str) -> Option<&str> {
    line.split("` listens at ").nth(1)?.split_whitespace().next()
}

/// The Python that has gRPC; without one the test says so and is over.
fn interpreter() -> Option<PathBuf> {
    python::interpreter().map_err(|error| println!("skipped: no Python with gRPC: {error}")).ok()
}

/// Has grpcio-tools make stubs of the .proto files of a guest.
fn make_stubs(python: &Path, machine: &Machine, guest: &str, stubs: &Path) {
    let component = host::guests().join(guest);
    let text = |path: &Path| path.to_str().expect("paths here are UTF-8").to_owned();
    let note = machine.screen(&["proto", &text(&component), "--out", &text(stubs)]).2;
    let files: Vec<_> = note.split('`').filter(|part| part.ends_with(".proto")).map(PathBuf::from).collect();
    assert!(!files.is_empty(), "{note}");
    let mut protoc = Command::new(python);
    protoc.args(["-m", "grpc_tools.protoc", "-I"]).arg(stubs).arg("--python_out").arg(stubs);
    python::run(protoc.arg("--grpc_python_out").arg(stubs).args(files)).expect("the stubs are made");
}

#[test]
fn python_calls_a_node_by_stubs_and_by_reflection() {
    let Some(python) = interpreter() else { return };
    let (machine, program) = (Machine::new(), Program::new(SERVER));
    let stubs = program.dir.path().join("stubs");
    make_stubs(&python, &machine, "probe.wasm", &stubs);
    // Without it, Python takes `test` for its own package of that name.
    std::fs::write(stubs.join("test/__init__.py"), "").expect("it can be written");
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let mut going = machine.launch(&program, launch_type);
        going.expect_line("b/0 │ up");
        let address = address(&mut going);
        let mut script = python::script(&python, "grpc/client.py");
        let printed = python::run(script.arg(&address).env("PYTHONPATH", &stubs));
        let printed = printed.unwrap_or_else(|error| panic!("{launch_type}: {error}"));
        assert_eq!(printed.trim(), "all calls came out as they should");
        going.signal(rustix::process::Signal::TERM);
        let _ = going.child.wait();
    }
}

#[test]
fn every_value_comes_back_to_python_as_it_was_sent() {
    let Some(python) = interpreter() else { return };
    let component = host::guests().join("values.wasm");
    let node = format!("[nodes.a]\ncomponent = '{}'\nlisten = '127.0.0.1:0'\n", component.display());
    let (machine, program) = (Machine::new(), Program::new(&node));
    let stubs = program.dir.path().join("stubs");
    make_stubs(&python, &machine, "values.wasm", &stubs);
    let modules = std::env::join_paths([&stubs, &python::folder().join("proto")]).expect("no path has a colon");
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let mut going = machine.launch(&program, launch_type);
        let address = address(&mut going);
        // The types that the node tells are those of its component.
        let listed = |words: &[&str]| machine.data(&[&["call", &address, "--list"], words].concat());
        assert_eq!(listed(&[]), listed(&["--component", component.to_str().expect("paths here are UTF-8")]));
        assert_eq!(machine.data(&["call", &address, "wides", "[{}, {f31}]"]), "[{}, {f31}]\n");
        for source in ["stubs", "reflection"] {
            let mut script = python::script(&python, "grpc/every_value.py");
            let printed = python::run(script.args([&address, source]).env("PYTHONPATH", &modules));
            let printed = printed.unwrap_or_else(|error| panic!("{launch_type}, {source}: {error}"));
            assert_eq!(printed, "202 values came back\n");
        }
        going.signal(rustix::process::Signal::TERM);
        let _ = going.child.wait();
    }
}

#[test]
fn a_trace_goes_along_with_the_calls_that_a_node_makes_in_it() {
    let Some(python) = interpreter() else { return };
    for (component, service) in [("ASYNC", "test.probe.Probe"), ("PLAIN", "test.probe_plain.Probe")] {
        // The call passes from one node to the next within a process first, then to another process.
        let node = |name: &str, next: &str| format!("[nodes.{name}]\n{component}\nhandles = {{ probe = '{next}' }}\n");
        let program = Program::new(&format!(
            "[colocate.both]\nnodes = ['a', 'b']\nmode = 'threads'\n{}run = false\nlisten = '127.0.0.1:0'\n{}run = false\n\
             {}args = ['print:up', 'wait-for-stop']\n",
            node("a", "b"),
            node("b", "c"),
            node("c", "c")
        ));
        let machine = Machine::new();
        let mut going = machine.start(&program, &["--launch-type", "processes"]);
        going.expect_line("c/0 │ up");
        let run_dir = machine.run_dirs().pop().expect("there is a run");
        let plan = std::fs::read(run_dir.join("plan.json")).expect("the plan is there");
        let plan: Plan = serde_json::from_slice(&plan).expect("it is a plan");
        let last = plan.workers.iter().position(|worker| worker.name == "c/0").expect("the last node has a worker");
        // Whoever listens here gets the calls: nobody has connected so far.
        let socket = run_dir.join(format!("w{last}"));
        std::fs::remove_file(&socket).expect("the worker listens there");
        let mut script = python::script(&python, "grpc/trace.py");
        let printed = python::run(script.args([&address(&mut going), service]).arg(&socket));
        assert_eq!(printed.unwrap_or_else(|error| panic!("{error}")), "the trace went along\n");
        going.signal(rustix::process::Signal::TERM);
        let _ = going.child.wait();
    }
}
