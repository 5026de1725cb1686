//! Programs on Slurm: what is submitted, and what becomes of it on a real one.

mod cluster;
mod launches;
mod lost;
mod render;
mod verbs;
mod words;

use std::process::Command;

use crate::run::{Going, Program};
use crate::runs::Machine;
use cluster::Cluster;

/// A command of a program that runs on the Slurm of the tests; `None` where there is none.
pub fn launched(command: Command) -> Option<Command> {
    let mut command = cluster::shared()?.command(command);
    command.args(["--launch-type", "slurm"]).env("NO_COLOR", "1");
    Some(command)
}

/// `lp-host run` of a program.
fn start(cluster: &Cluster, machine: &Machine, program: &Program) -> Going {
    let mut command = cluster.lp_host(machine, &["run", "--launch-type", "slurm"]);
    command.arg(program.path());
    Going::spawn(command)
}

/// A server with two replicas, and a client that says `8` and then goes on with `steps`. Each has those words of Slurm.
fn pair(restart: &str, steps: &str, words: &str) -> Program {
    Program::new(&format!(
        "grace = '1s'\n[nodes.a]\nASYNC\nhandles = {{ probe = 'a' }}\nrun = false\nreplicas = 2\nrestart = {restart}\n\
         slurm = {{ {words} }}\n\
         [nodes.b]\nASYNC\nhandles = {{ probe = 'a' }}\nargs = ['plain-echo:8', {steps}]\nrestart = {restart}\n\
         slurm = {{ {words} }}\n\
         sandbox = {{ dirs = [{{ host = '.', guest = '/data', access = 'read' }}] }}\n"
    ))
}

const RESTARTS: &str = "{ policy = 'on-failure', max = 100, backoff = '1ms', backoff-max = '1ms' }";

/// Lets a program go on that waits with `wait-for:/data/go`.
fn go(program: &Program) {
    std::fs::write(program.dir.path().join("go"), "").expect("it can be written");
}

#[track_caller]
fn check_end(going: Going, code: i32, stdout: &[&str], stderr: &[&str]) {
    let (found, out, err) = going.end();
    assert_eq!(found, Some(code), "--- stdout\n{out}--- stderr\n{err}");
    assert_eq!(out.lines().collect::<Vec<_>>(), stdout, "{err}");
    for text in stderr {
        assert!(err.contains(text), "stderr lacks {text:?}\n{err}");
    }
}
