//! What the replicas of a colocation have of their own.

use std::path::PathBuf;

use lp_host::plan::LaunchType;
use rustix::process::Signal;

use crate::host;
use crate::remote::shared;
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

/// The directories that they get.
const NAMES: [&str; 3] = ["tmp-a-0", "tmp-a-1", "tmp-b-0"];

#[test]
fn a_replica_of_a_colocation_of_processes_has_a_temporary_directory() {
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let (machine, program) = (Machine::new(), Program::new(CREATORS));
        let going = machine.launch(&program, launch_type);
        // Each has its own, and the one that starts again has a fresh one.
        let is_up = |logs: &str| ["a/0 │ up", "a/1 │ up", "b/0 │ up"].iter().all(|line| logs.contains(line));
        eventually("every replica", || is_up(&machine.screen(&["logs", "test"]).1));
        // They are where the workers run. The hosts have other runs of other tests.
        let dirs = match launch_type {
            LaunchType::Remote => shared().lease_dirs(),
            LaunchType::Threads | LaunchType::Processes => machine.run_dirs(),
        };
        let has_all = |dir: &&PathBuf| NAMES.iter().all(|name| dir.join(name).join("own").is_file());
        let dir = dirs.iter().find(has_all).unwrap_or_else(|| panic!("{launch_type}: none of {dirs:?} has all"));
        going.signal(Signal::TERM);
        let (code, _, stderr) = going.end();
        assert_eq!((code, machine.run_dirs().len()), (Some(143), 0), "{stderr}");
        eventually("the removal of the directories", || !dir.exists());
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
