//! Nodes called by other gRPC clients: Python's stock `grpcio`, by stubs made from `lp-host proto` and by reflection.

use std::io::{BufRead, BufReader};
use std::process::Command;

use lp_host::plan::LaunchType;

use crate::run::{Going, Program};
use crate::runs::Machine;
use crate::{host, python};

/// A server that listens at a port of the system's choice, under a message limit of 40 MiB.
const SERVER: &str = "message-max = '40MiB'\n[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n\
    replicas = 2\nlisten = '127.0.0.1:0'\n\
    [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['print:up', 'wait-for-stop']\n";

/// The address that a run says its node listens at.
fn address(going: &mut Going) -> String {
    let mut stderr = BufReader::new(going.child.stderr.take().expect("stderr is piped"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("stderr can be read");
    let address = line.rsplit(' ').next().unwrap_or_default().trim().to_owned();
    assert!(line.contains("`a` listens at 127.0.0.1:"), "{line}");
    // Whatever is said later must not fill the pipe.
    std::thread::spawn(move || stderr.lines().count());
    address
}

#[test]
fn python_calls_a_node_by_stubs_and_by_reflection() {
    let python = match python::interpreter() {
        Ok(python) => python,
        Err(error) => return println!("skipped: no Python with gRPC: {error}"),
    };
    let (machine, program) = (Machine::new(), Program::new(SERVER));
    let stubs = program.dir.path().join("stubs");
    let proto = host::guests().join("probe.wasm");
    machine.data(&["proto", proto.to_str().expect("paths here are UTF-8"), "--out", stubs.to_str().expect("it is")]);
    // Without it, Python takes `test` for its own package of that name.
    std::fs::write(stubs.join("test/__init__.py"), "").expect("it can be written");
    let files = ["test/probe/probe.proto", "lp/courier/v0_1/types.proto"];
    let files = files.iter().filter(|file| stubs.join(file).exists());
    let mut protoc = Command::new(&python);
    protoc.args(["-m", "grpc_tools.protoc", "-I."]).args(["--python_out=.", "--grpc_python_out=."]).args(files);
    python::run(protoc.current_dir(&stubs)).expect("the stubs are made");
    for (launch_type, _) in LaunchType::NAMES {
        let mut going = machine.start(&program, &["--launch-type", &launch_type.to_string()]);
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
