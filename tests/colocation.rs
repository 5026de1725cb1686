//! What the replicas of a colocation have of their own.

use rustix::process::Signal;

use crate::run::{Program, check};
use crate::runs::{Machine, eventually};

/// Three replicas, each of which makes a file that must not be there, and one of which fails once.
const CREATORS: &str = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nreplicas = 2\n\
    args = ['create:/tmp/own', 'print:up', 'wait-for-stop']\n\
    [nodes.b]\nASYNC\nhandles = { probe = 'b' }\n\
    args = ['create:/tmp/own', 'trap-once:/data/trapped', 'print:up', 'wait-for-stop']\n\
    sandbox = { dirs = [{ host = '.', guest = '/data', access = 'read-write' }] }\n\
    [colocate.creators]\nnodes = ['a', 'b']\nmode = 'processes'\n\
    restart = { policy = 'on-failure', max = 1, backoff = '1ms' }\n";

#[test]
fn a_replica_of_a_colocation_of_processes_has_a_temporary_directory() {
    for launch_type in crate::host::LAUNCH_TYPES {
        let (machine, program) = (Machine::new(), Program::new(CREATORS));
        let going = machine.start(&program, &["--launch-type", &launch_type.to_string()]);
        // Each has its own, and the one that starts again has a fresh one.
        let is_up = |logs: &str| ["a/0 │ up", "a/1 │ up", "b/0 │ up"].iter().all(|line| logs.contains(line));
        eventually("every replica", || is_up(&machine.screen(&["logs", "test"]).1));
        let run_dir = machine.run_dirs().pop().expect("there is a run");
        for name in ["tmp-a-0", "tmp-a-1", "tmp-b-0"] {
            assert!(run_dir.join(name).join("own").is_file(), "{name}");
        }
        going.signal(Signal::TERM);
        let (code, _, stderr) = going.end();
        assert_eq!((code, machine.run_dirs().len()), (Some(143), 0), "{stderr}");
        assert!(stderr.contains("`b/0` starts again") && stderr.contains("restart 1 of 1"), "{stderr}");
    }
}

#[test]
fn other_replicas_have_none_and_a_granted_directory_stays() {
    let alone = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nargs = ['create:/tmp/own']\n";
    check(alone, 1, &[], &["the file can be made, and is not there"]);
    let granted = "sandbox = { dirs = [{ host = '.', guest = '/tmp', access = 'read' }] }\n\
        [colocate.creators]\nnodes = ['a']\nmode = 'processes'\n";
    let granted = alone.replace("create:/tmp/own", "wait-for:/tmp/program.toml") + granted;
    check(&granted, 0, &[], &[]);
}
