//! Programs on Slurm, as other terminals of the same user see them.

use rustix::process::Signal;

use super::cluster::{self, Cluster};
use super::{go, pair, start};
use crate::runs::Machine;

fn screen(cluster: &Cluster, machine: &Machine, words: &[&str]) -> (Option<i32>, String, String) {
    let output = cluster.lp_host(machine, words).output().expect("the binary runs");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_program_whose_launcher_was_killed_is_attached_to_from_its_beginning() {
    let Some(cluster) = cluster::shared() else { return };
    for (code, last) in [(0, "'plain-echo:2'"), (1, "'plain-echo:2', 'fail'")] {
        let (machine, program) = (Machine::new(), pair("'never'", &format!("'wait-for:/data/go', {last}"), ""));
        let mut going = start(cluster, &machine, &program);
        going.expect_line("b/0 │ 8");
        going.signal(Signal::KILL);
        assert_eq!(going.end().0, None);
        // Another terminal, and so nothing that was kept beside the job and its directory.
        let elsewhere = Machine::new();
        let mut attach = elsewhere.command(&["attach", &cluster.job(&machine).1]);
        attach.env("LP_HOST_SHARED_DIR", cluster.dir_of(&machine));
        let mut attached = crate::run::Going::spawn(cluster_command(cluster, attach, &machine));
        attached.expect_line("b/0 │ 8");
        go(&program);
        let (found, out, err) = attached.end();
        assert_eq!((found, out.as_str()), (Some(code), "b/0 │ 2\n"), "{err}");
        // When it is over, all of it is still there.
        let (found, out, err) = screen(cluster, &machine, &["attach", &cluster.job(&machine).1]);
        assert_eq!((found, out.as_str()), (Some(code), "b/0 │ 8\nb/0 │ 2\n"), "{err}");
    }
}

fn cluster_command(cluster: &Cluster, command: std::process::Command, machine: &Machine) -> std::process::Command {
    let mut command = cluster.command(command);
    command.env("LP_HOST_SHARED_DIR", cluster.dir_of(machine));
    command
}

#[test]
fn the_doctor_looks_at_slurm_and_at_the_folder() {
    let Some(cluster) = cluster::shared() else { return };
    let machine = Machine::new();
    let words = ["doctor", "--launch-type", "slurm"];
    let (code, out, err) = screen(cluster, &machine, &words);
    assert_eq!((code, out.matches(" ready ").count()), (Some(0), 4), "{out}{err}");
    let mut doctor = cluster.lp_host(&machine, &words);
    let output = doctor.env("LP_HOST_SHARED_DIR", "/dev/shm").output().expect("the binary runs");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(4) && out.contains("is in the memory of this machine"), "{out}");
    let mut doctor = cluster.lp_host(&machine, &words);
    let output = doctor.env("PATH", "/nowhere").output().expect("the binary runs");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(4) && out.contains("there is no sbatch, squeue"), "{out}");
}

#[test]
fn a_detached_program_is_shown_and_stopped_by_its_id() {
    let Some(cluster) = cluster::shared() else { return };
    let (machine, program) = (Machine::new(), pair("'never'", "'eprint:err', 'wait-for-stop'", ""));
    let path = program.path().display().to_string();
    let (code, id, err) = screen(cluster, &machine, &["run", "--launch-type", "slurm", "--detach", &path]);
    assert_eq!(code, Some(0), "{err}");
    let id = id.trim();
    assert!(err.contains(&format!("`{id}` runs on the cluster")), "{err}");
    crate::runs::eventually("both lines are there", || {
        screen(cluster, &machine, &["logs", id, "b"]).1.lines().count() == 2
    });
    let (code, out, err) = screen(cluster, &machine, &["logs", id, "b/0"]);
    assert_eq!((code, out.as_str()), (Some(0), "b/0 │ 8\nb/0 │ err\n"), "{err}");
    assert_eq!(screen(cluster, &machine, &["logs", id, "a"]).1, "");
    let (code, out, err) = screen(cluster, &machine, &["ps"]);
    assert!(code == Some(0) && out.contains(id) && out.contains("a/1"), "{out}{err}");
    let (code, _, err) = screen(cluster, &machine, &["stop", id]);
    assert_eq!(code, Some(0), "{err}");
    let (code, out, err) = screen(cluster, &machine, &["attach", id]);
    assert_eq!((code, out.as_str()), (Some(143), "b/0 │ 8\nb/0 │ stopping, true\n"), "{err}");
    let (_, _, err) = screen(cluster, &machine, &["ps"]);
    assert!(err.contains(&format!("`{id}`, job ")) && err.contains(" of Slurm, is over"), "{err}");
}
