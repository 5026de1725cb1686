//! What goes wrong before a program is up: signals while components compile, and nodes that trap as they are started.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::host;
use crate::run::{Going, Program};
use crate::runs::{Machine, eventually};

/// How much code the slow component has: about half a minute of compiling on one core.
const FUNCTIONS: u32 = 1500;
const OPERATIONS: usize = 4000;

fn leb(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let length = leb(u32::try_from(content.len()).expect("a section has less than 4 GiB"));
    [&[id], &length[..], content].concat()
}

/// The probe with a module of much code beside it, which is compiled like all others.
fn write_slow_probe(path: &Path) {
    // No locals; then the parameter, multiplied with itself and mixed with it, again and again.
    let mut code = vec![0, 0x20, 0];
    code.extend([0x20, 0, 0x6c, 0x20, 0, 0x73].repeat(OPERATIONS));
    code.push(0x0b);
    let body = [leb(u32::try_from(code.len()).expect("it is short")), code].concat();
    let functions = [leb(FUNCTIONS), vec![0; FUNCTIONS as usize]].concat();
    let bodies = [leb(FUNCTIONS), body.repeat(FUNCTIONS as usize)].concat();
    let of_type = section(1, &[1, 0x60, 1, 0x7f, 1, 0x7f]);
    let module = [b"\0asm\x01\0\0\0".to_vec(), of_type, section(3, &functions), section(10, &bodies)].concat();
    let probe = std::fs::read(host::guests().join("probe.wasm")).expect("the guest is built");
    std::fs::write(path, [probe, section(1, &module)].concat()).expect("it can be written");
}

/// The processes that were started with a directory of a run among their arguments: its workers.
fn workers(run_dir: &Path) -> Vec<PathBuf> {
    let named = |process: &PathBuf| {
        let arguments = std::fs::read(process.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(&*run_dir.to_string_lossy())
    };
    let processes = std::fs::read_dir("/proc").expect("there is a /proc").filter_map(|entry| Some(entry.ok()?.path()));
    processes.filter(named).collect()
}

/// Signals a program that is not up yet, when `is_due` says so of the machine.
#[track_caller]
fn check_given_up(launch_type: &str, cache: &str, signal: Signal, code: i32, is_due: &dyn Fn(&Machine) -> bool) {
    let machine = Machine::new();
    let program = Program::new(
        "[nodes.a]\ncomponent = 'slow.wasm'\nhandles = { probe = 'a' }\nargs = ['print:up', 'wait-for-stop']\n",
    );
    write_slow_probe(&program.dir.path().join("slow.wasm"));
    let mut command = machine.command(&["run", "--launch-type", launch_type]);
    command.arg(program.path()).env_remove("HOME").env_remove("XDG_CACHE_HOME");
    let cache = if cache.is_empty() { String::new() } else { program.dir.path().join(cache).display().to_string() };
    command.env("LP_HOST_CACHE", cache);
    let going = Going::spawn(command);
    eventually("the launch", || is_due(&machine));
    let run_dir = machine.run_dirs().pop().expect("there is a run");
    going.signal(signal);
    let (found, stdout, stderr) = going.end();
    // That it did not wait for the end of the compilation shows in that nothing was started.
    assert_eq!((found, stdout.as_str()), (Some(code), ""), "{launch_type}: {stderr}");
    assert!(stderr.contains(": the launch is given up"), "{stderr}");
    let is_killed = |line: &str| line.split_whitespace().take(2).eq(["a/0", "killed"]);
    assert!(stderr.lines().any(is_killed), "{stderr}");
    eventually("the end of all workers", || workers(&run_dir).is_empty());
    assert_eq!(machine.run_dirs(), [] as [PathBuf; 0]);
}

#[test]
fn a_signal_while_components_compile_ends_the_run_at_once() {
    let is_starting = |machine: &Machine| {
        let runs = machine.ps();
        runs.first().is_some_and(|run| run["replicas"][0]["state"] == "starting")
    };
    for launch_type in host::LAUNCH_TYPES {
        check_given_up(&launch_type.to_string(), "cache", Signal::INT, 130, &is_starting);
        check_given_up(&launch_type.to_string(), "cache", Signal::TERM, 143, &is_starting);
    }
}

#[test]
fn a_signal_while_workers_load_ends_them_too() {
    // Without a cache, it is the workers that compile.
    let has_workers =
        |machine: &Machine| !machine.ps().is_empty() && machine.run_dirs().iter().any(|dir| !workers(dir).is_empty());
    check_given_up("processes", "", Signal::TERM, 143, &has_workers);
}

/// A component whose instantiation traps.
const TRAPS: &str = r#"(component
    (core module $code (func $start unreachable) (func (export "ping")) (start $start))
    (core instance $code (instantiate $code))
    (func $ping (canon lift (core func $code "ping")))
    (instance $pinger (export "ping" (func $ping)))
    (export "test:trap/pinger" (instance $pinger)))"#;

#[test]
fn a_node_that_traps_at_instantiation_fails_the_program() {
    for launch_type in host::LAUNCH_TYPES {
        let machine = Machine::new();
        let program = Program::new(
            "[nodes.a]\ncomponent = 'traps.wasm'\n\
             [nodes.b]\nASYNC\nhandles = { probe = 'b' }\nargs = ['wait-for-stop']\n",
        );
        let component = wat::parse_str(TRAPS).expect("valid text");
        std::fs::write(program.dir.path().join("traps.wasm"), component).expect("it can be written");
        let launch_type = launch_type.to_string();
        let going = machine.start(&program, &["--launch-type", &launch_type, "--format", "json"]);
        let (code, stdout, stderr) = going.end();
        assert_eq!(code, Some(1), "{launch_type}: {stderr}");
        assert!(stderr.contains("error: `a/0` failed: failed to start: wasm trap: "), "{stderr}");
        let report: Value = serde_json::from_str(stdout.lines().last().unwrap_or_default()).expect("it is JSON");
        let states: Vec<_> = report["replicas"].as_array().into_iter().flatten().map(|of| &of["state"]).collect();
        assert_eq!((&report["outcome"], states), (&"failed".into(), vec![&"failed".into(), &"ended".into()]));
        assert_eq!(machine.run_dirs(), [] as [PathBuf; 0]);
    }
}

#[test]
fn a_node_that_traps_at_instantiation_is_started_as_often_as_it_may() {
    for launch_type in host::LAUNCH_TYPES {
        let program = Program::new(
            "[nodes.a]\ncomponent = 'traps.wasm'\nrestart = { policy = 'on-failure', max = 2, backoff = '1ms' }\n\
             [nodes.b]\nASYNC\nhandles = { probe = 'b' }\nargs = ['wait-for-stop']\n",
        );
        let component = wat::parse_str(TRAPS).expect("valid text");
        std::fs::write(program.dir.path().join("traps.wasm"), component).expect("it can be written");
        let (machine, launch_type) = (Machine::new(), launch_type.to_string());
        let (code, _, stderr) = machine.start(&program, &["--launch-type", &launch_type]).end();
        assert_eq!(code, Some(1), "{launch_type}: {stderr}");
        assert_eq!(stderr.matches("failed to start").count(), 3, "{stderr}");
        assert!(stderr.contains("restart 2 of 2") && stderr.contains("`a/0` has ended too often"), "{stderr}");
    }
}
