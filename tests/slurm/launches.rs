//! Programs from their launch to their end, on a real Slurm.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::cluster::{self, Cluster};
use super::{RESTARTS, check_end, go, pair, start};
use crate::run::{Program, script};
use crate::runs::{Machine, eventually};

/// Runs a command to its end.
fn run(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().expect("the binary runs");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn run_program(
    cluster: &Cluster,
    machine: &Machine,
    program: &Program,
    words: &[&str],
) -> (Option<i32>, String, String) {
    let mut command = cluster.lp_host(machine, &["run", "--launch-type", "slurm"]);
    command.arg(program.path()).args(words);
    run(command)
}

#[test]
fn a_run_exits_as_its_program_does() {
    let Some(cluster) = cluster::shared() else { return };
    for (steps, code, stdout, said) in [
        ("'print:a'", 0, "probe/0 │ a\n", "ended"),
        ("'print:a', 'fail'", 1, "probe/0 │ a\n", "`probe/0` failed: its `run` returned an error"),
        ("'trap:boom'", 1, "", "boom"),
    ] {
        let (machine, program) = (Machine::new(), Program::new(&script("ASYNC", steps)));
        let (found, out, err) = run_program(cluster, &machine, &program, &[]);
        assert_eq!((found, out.as_str()), (Some(code), stdout), "{err}");
        assert!(err.contains(said), "{err}");
    }
}

#[test]
fn what_slurm_can_never_run_is_told_and_leaves_nothing() {
    let Some(cluster) = cluster::shared() else { return };
    let machine = Machine::new();
    for (words, said) in [
        ("{ cpus = 17 }", "Slurm can't run this program as its machines are now: "),
        ("{ partition = 'absent' }", "invalid partition specified: absent"),
    ] {
        let program = Program::new(&format!("{}slurm = {words}\n", script("ASYNC", "'print:a'")));
        let (code, _, err) = run_program(cluster, &machine, &program, &[]);
        assert_eq!(code, Some(4), "{err}");
        assert!(err.contains(said) && err.contains("help: `sinfo` lists partitions"), "{err}");
    }
    let left: Vec<_> = fs::read_dir(cluster.dir_of(&machine)).expect("it can be listed").flatten().collect();
    assert_eq!(left.len(), 1, "only the link to lp-host: {left:?}");
}

#[test]
fn a_dry_run_prints_the_script_that_is_submitted_and_submits_nothing() {
    let Some(cluster) = cluster::shared() else { return };
    let (machine, program) = (Machine::new(), Program::new(&script("ASYNC", "'print:a'")));
    let (code, script, err) = run_program(cluster, &machine, &program, &["--dry-run"]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(fs::read_dir(cluster.dir_of(&machine)).expect("it can be listed").count(), 1);
    let (code, _, err) = run_program(cluster, &machine, &program, &[]);
    assert_eq!(code, Some(0), "{err}");
    let (_, id) = cluster.job(&machine);
    let submitted = fs::read_to_string(cluster.dir_of(&machine).join(&id).join("script.sh")).expect("it is there");
    let dry = script.lines().find_map(|line| line.strip_prefix("#SBATCH --job-name=lp-")).expect("it has a name");
    assert_eq!(script.replace(dry, &id), submitted);
}

#[test]
fn the_directory_of_a_program_is_for_its_user_alone() {
    let Some(cluster) = cluster::shared() else { return };
    let (machine, program) = (Machine::new(), Program::new(&script("ASYNC", "'print:a'")));
    let (code, _, err) = run_program(cluster, &machine, &program, &[]);
    assert_eq!(code, Some(0), "{err}");
    let dir = cluster.dir_of(&machine).join(cluster.job(&machine).1);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let modes = [".", "coordinator.key", "unit.key", "units"].map(|name| mode(&dir.join(name)));
    assert_eq!(modes, [0o700, 0o600, 0o600, 0o700]);
}

#[test]
fn a_folder_that_machines_can_not_share_is_refused() {
    let Some(cluster) = cluster::shared() else { return };
    let program = Program::new(&script("ASYNC", "'print:a'"));
    let memory = tempfile::tempdir_in("/dev/shm").expect("there is one");
    let temporary = tempfile::tempdir_in("/tmp").expect("there is one");
    let refused = |dir: &Path, said: &str| {
        let (code, _, err) =
            run_program(cluster, &Machine::new(), &program, &["--shared-dir", &dir.display().to_string()]);
        assert_eq!(code, Some(4), "{err}");
        assert!(err.contains(said) && err.contains("help: name a folder that all machines"), "{err}");
    };
    refused(memory.path(), "is in the memory of this machine (tmpfs)");
    refused(&temporary.path().join("below"), "of which every machine has its own");
    refused(Path::new("/proc/version"), "can't be used");
}

#[test]
fn a_folder_that_the_machines_do_not_have_after_all_is_told() {
    let Some(cluster) = cluster::shared() else { return };
    let machine = Machine::new();
    let program = Program::new(&format!("{}slurm = {{ sbatch = ['--hold'] }}\n", script("ASYNC", "'print:a'")));
    let going = start(cluster, &machine, &program);
    let (job, id) = cluster.job(&machine);
    let dir = cluster.dir_of(&machine).join(id);
    fs::rename(&dir, dir.with_extension("elsewhere")).expect("it is there");
    cluster.said("scontrol", &["release", &job]);
    check_end(going, 4, &[], &["so the machines of the cluster don't share it", "help: name a folder"]);
}

#[test]
fn a_cancelled_job_leaves_no_process() {
    let Some(cluster) = cluster::shared() else { return };
    let (machine, program) = (Machine::new(), pair("'never'", "'sleep:1000000'", ""));
    let mut going = start(cluster, &machine, &program);
    going.expect_line("b/0 │ 8");
    let (job, _) = cluster.job(&machine);
    assert!(cluster.processes(&job).len() >= 7, "a coordinator, three units and their workers");
    cluster.said("scancel", &[&job]);
    let (code, _, err) = going.end();
    assert_ne!(code, Some(0), "{err}");
    eventually("all of them have ended", || cluster.processes(&job).is_empty());
}

#[test]
fn signals_stop_the_program_with_its_grace_and_a_second_one_at_once() {
    let Some(cluster) = cluster::shared() else { return };
    let (machine, program) = (Machine::new(), pair("'never'", "'wait-for-stop'", ""));
    let mut going = start(cluster, &machine, &program);
    going.expect_line("b/0 │ 8");
    going.signal(Signal::INT);
    check_end(going, 130, &["b/0 │ stopping, true"], &[]);
    let program = patient();
    let mut going = start(cluster, &machine, &program);
    going.expect_line("probe/0 │ a");
    going.signal(Signal::INT);
    going.expect_line("probe/0 │ stopping, true");
    going.signal(Signal::TERM);
    check_end(going, 130, &[], &["killing nodes that are still running: probe/0"]);
}

#[test]
fn the_job_of_a_coordinator_that_heeds_no_signal_is_cancelled_by_the_third() {
    let Some(cluster) = cluster::shared() else { return };
    let (machine, program) = (Machine::new(), patient());
    let mut going = start(cluster, &machine, &program);
    going.expect_line("probe/0 │ a");
    let (job, _) = cluster.job(&machine);
    let is_coordinator = |line: &[String]| line.get(1).is_some_and(|verb| verb == "coordinator");
    let (pid, _) = cluster.processes(&job).into_iter().find(|(_, line)| is_coordinator(line)).expect("it runs");
    let pid = rustix::process::Pid::from_raw(pid).expect("it is a number of a process");
    rustix::process::kill_process(pid, Signal::STOP).expect("it is there");
    for signal in [Signal::INT, Signal::TERM, Signal::INT] {
        going.signal(signal);
        std::thread::sleep(Duration::from_millis(100));
    }
    let (_, _, err) = going.end();
    assert!(err.contains(&format!("job {job} is cancelled")), "{err}");
    eventually("all of them have ended", || cluster.processes(&job).is_empty());
}

/// A node that says that it stops, and goes on; it has an hour for it.
fn patient() -> Program {
    Program::new(&format!("grace = '1h'\n{}", script("ASYNC", "'print:a', 'wait-for-stop', 'sleep:1000000'")))
}

#[test]
fn a_program_that_waits_for_machines_is_cancelled_by_the_first_signal() {
    let Some(cluster) = cluster::shared() else { return };
    let machine = Machine::new();
    let program = Program::new(&format!("{}slurm = {{ sbatch = ['--hold'] }}\n", script("ASYNC", "'print:a'")));
    let going = start(cluster, &machine, &program);
    let (job, id) = cluster.job(&machine);
    let (code, out, err) = run(cluster.lp_host(&machine, &["ps"]));
    assert!(code == Some(0) && !out.contains(&id), "{out}{err}");
    assert!(err.contains(&format!("`{id}`, job {job} of Slurm, has not begun: JobHeldUser")), "{err}");
    going.signal(Signal::INT);
    check_end(going, 130, &[], &["waits for Slurm: JobHeldUser", "was cancelled before it ran"]);
    assert!(!cluster.jobs().iter().any(|line| line.starts_with(&format!("{job} "))));
}

#[test]
fn the_time_limit_stops_the_program_with_its_grace() {
    let Some(cluster) = cluster::shared() else { return };
    let (machine, program) = (Machine::new(), pair("'never'", "'wait-for-stop'", "time = '1h'"));
    let mut going = start(cluster, &machine, &program);
    going.expect_line("b/0 │ 8");
    let (job, _) = cluster.job(&machine);
    cluster.said("scontrol", &["update", &format!("JobId={job}"), "TimeLimit=1"]);
    check_end(going, 143, &["b/0 │ stopping, true"], &[]);
}

#[test]
fn a_job_that_asks_for_it_starts_over_when_it_is_requeued() {
    let Some(cluster) = cluster::shared() else { return };
    let (machine, program) = (Machine::new(), pair("'never'", "'wait-for:/data/go'", "sbatch = ['--requeue']"));
    let mut going = start(cluster, &machine, &program);
    going.expect_line("b/0 │ 8");
    let (job, _) = cluster.job(&machine);
    cluster.said("scontrol", &["requeue", &job]);
    going.expect_line("b/0 │ 8");
    go(&program);
    check_end(going, 0, &[], &["was requeued"]);
}

#[test]
fn nodes_of_different_partitions_run_as_one_heterogeneous_job() {
    let Some(cluster) = cluster::shared() else { return };
    let machine = Machine::new();
    let program = Program::new(
        "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\nslurm = { partition = 'gpu', gpus = 1 }\n\
         [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['plain-echo:8']\nslurm = { partition = 'short' }\n",
    );
    let (code, out, err) = run_program(cluster, &machine, &program, &[]);
    assert_eq!((code, out.as_str()), (Some(0), "b/0 │ 8\n"), "{err}");
    assert!(err.contains("this is a heterogeneous job of 2 parts: `a` | `b`"), "{err}");
}

#[test]
fn units_of_different_sizes_find_room_on_several_machines() {
    let Some(cluster) = cluster::shared() else { return };
    let machine = Machine::new();
    let program = Program::new(
        "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\nreplicas = 4\n\
         [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['plain-echo:8']\n\
         slurm = { cpus = 4, sbatch = ['--nodes=2'] }\n",
    );
    let (code, out, err) = run_program(cluster, &machine, &program, &[]);
    assert_eq!((code, out.as_str()), (Some(0), "b/0 │ 8\n"), "{err}");
}

#[test]
fn a_launch_takes_as_many_commands_of_slurm_with_many_replicas_as_with_few() {
    let Some(cluster) = cluster::shared() else { return };
    let calls = |replicas: u32| {
        let (machine, wrappers) = (Machine::new(), tempfile::tempdir().expect("a temporary directory can be made"));
        for name in ["sbatch", "sinfo", "scontrol", "srun", "salloc", "sacct", "squeue", "scancel"] {
            let path = wrappers.path().join(name);
            let script = format!(
                "#!/bin/sh\necho {name} >>{0}/calls\nPATH=\"${{PATH#*:}}\" exec {name} \"$@\"\n",
                wrappers.path().display()
            );
            fs::write(&path, script).expect("it can be written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        let program = Program::new(&format!("{}replicas = {replicas}\n", script("ASYNC", "'print:a'")));
        let mut command = cluster.lp_host(&machine, &["run", "--launch-type", "slurm"]);
        let path = std::env::var("PATH").expect("it is set");
        command.arg(program.path()).env("PATH", format!("{}:{path}", wrappers.path().display()));
        let (code, out, err) = run(command);
        assert_eq!((code, out.lines().count()), (Some(0), replicas as usize), "{err}");
        let calls = fs::read_to_string(wrappers.path().join("calls")).expect("there were some");
        // How often it is asked for the state depends on how long the job takes.
        let mut calls: Vec<_> = calls.lines().filter(|name| *name != "squeue").map(str::to_owned).collect();
        calls.sort();
        calls
    };
    let few = calls(1);
    assert_eq!(few, ["sbatch", "sbatch", "sinfo"]);
    assert_eq!(calls(12), few);
}

#[test]
fn a_unit_that_is_killed_starts_again_alone() {
    let Some(cluster) = cluster::shared() else { return };
    let (machine, program) = (Machine::new(), pair(RESTARTS, "'wait-for:/data/go', 'plain-echo:2'", ""));
    let mut going = start(cluster, &machine, &program);
    going.expect_line("b/0 │ 8");
    let (job, id) = cluster.job(&machine);
    let unit = |name: &str| cluster.unit(&job, name);
    let (other, client, killed) = (unit("a-0"), unit("b-0"), unit("a-1").expect("it runs"));
    rustix::process::kill_process(rustix::process::Pid::from_raw(killed).expect("it is not 0"), Signal::KILL)
        .expect("it runs");
    let restarted = |run: &serde_json::Value| {
        let of = |node: &str, index: u64| {
            let replicas = run["replicas"].as_array().expect("there is a list");
            let replica = replicas.iter().find(|replica| replica["node"] == node && replica["replica"] == index);
            let replica = replica.expect("it is listed");
            (replica["state"] == "running", replica["restarts"].as_u64().expect("it is a number"))
        };
        [of("a", 0), of("a", 1), of("b", 0)] == [(true, 0), (true, 1), (true, 0)]
    };
    eventually("the unit is back", || {
        let (_, out, err) = run(cluster.lp_host(&machine, &["ps", "--format", "json"]));
        let runs: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"));
        runs["runs"].as_array().is_some_and(|runs| runs.iter().any(|run| run["id"] == id && restarted(run)))
    });
    assert_eq!((unit("a-0"), unit("b-0")), (other, client), "the other units go on");
    assert_ne!(unit("a-1"), Some(killed));
    go(&program);
    check_end(going, 0, &["b/0 │ 2"], &["unit `a-1` is started again on `node"]);
}
