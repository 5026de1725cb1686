//! What is submitted for a program: a program file in, a batch script, its steps and warnings out. A file in `jobs` each.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lp_host::engine::slurm::{Placed, Step, render};
use lp_host::lower;
use lp_host::plan::{LaunchType, Plan};
use lp_host::program::Linked;

use super::cluster::{self, Cluster};
use crate::config::{check_text, sandbox};

fn jobs() -> BTreeSet<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("slurm/jobs");
    let entries = fs::read_dir(folder).expect("the folder is part of the tests");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

fn plan(text: &str) -> Plan {
    let dir = sandbox();
    let path = dir.path().join("program.toml");
    fs::write(&path, text).expect("a writable directory");
    let linked = Linked::load(&path, &[]).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    lower(&linked, LaunchType::Remote).0
}

fn srun(step: &Step) -> String {
    let unit = ["lp-host".to_owned(), "unit".to_owned()];
    let quoted = |words: Vec<String>| {
        let quoted = words.into_iter().map(|word| if word.contains(' ') { format!("'{word}'") } else { word });
        quoted.collect::<Vec<_>>().join(" ")
    };
    let again = step.one(step.units - 1, "node7", "units", &unit);
    format!("srun {}\nagain: srun {}\n", quoted(step.all(3, "units", &unit)), quoted(again))
}

#[test]
fn every_program_becomes_its_job() {
    for file in jobs() {
        let plan = plan(&fs::read_to_string(&file).expect("it is part of the tests"));
        let dir = if plan.program == "counting" { "/home/ada o'neill/lp" } else { "/home/ada/.lp-host/training-k3x9" };
        let placed = Placed { id: "training-k3x9", dir, binary: "/home/ada/.lp-host/bin/lp-host-1234" };
        let shown = match render(&plan, placed) {
            Ok(job) => {
                let warnings: String = job.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
                let steps: String = job.steps.iter().map(srun).collect();
                format!("{}--- steps\n{steps}--- warnings\n{warnings}", job.script)
            }
            Err(error) => format!("error: {error}\n"),
        };
        check_text(&shown, &file.with_extension("txt"));
    }
}

#[test]
fn a_job_has_as_many_steps_and_lines_with_many_replicas_as_with_few() {
    let job = |replicas: u32| {
        let text = format!("name = 'a'\n[nodes.b]\ncomponent = 'counter.wasm'\nreplicas = {replicas}\n");
        render(&plan(&text), Placed { id: "a-aaaa", dir: "/d", binary: "/b" }).expect("it can be rendered")
    };
    let (few, many) = (job(2), job(10_000));
    assert_eq!(few.steps.len(), many.steps.len());
    assert_eq!(few.script.lines().count(), many.script.lines().count());
    assert!(many.script.contains("--ntasks=10000\n"), "{}", many.script);
}

/// Whether a real Slurm would take the job of a program, and what it says.
fn tried(cluster: &Cluster, text: &str) -> (bool, String) {
    let placed = Placed { id: "tried-aaaa", dir: "/home/ada o'neill/lp", binary: "/b" };
    let job = render(&plan(text), placed).expect("it can be rendered");
    let mut sbatch = cluster.command(Command::new("sbatch"));
    let mut sbatch = sbatch.arg("--test-only").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    sbatch.stdin.take().expect("it is piped").write_all(job.script.as_bytes()).expect("it reads");
    let output = sbatch.wait_with_output().expect("it ends");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_real_slurm_takes_the_jobs_and_refuses_what_it_can_not_have() {
    let Some(cluster) = cluster::shared() else { return };
    let node =
        |words: &str| format!("name = 'a'\n[nodes.b]\ncomponent = 'counter.wasm'\nreplicas = 2\nslurm = {words}\n");
    for words in [
        "{}",
        "{ cpus = 16, memory = '32GiB' }",
        "{ cpus = 3, gpus = 1, partition = 'gpu', time = '90m', constraint = 'fast' }",
        "{ partition = 'short,debug', constraint = '[plain|fast]', sbatch = ['--requeue', '--exclusive', '-wnode2'] }",
    ] {
        let (taken, stderr) = tried(cluster, &node(words));
        assert!(taken && stderr.contains("to start at"), "{words}: {stderr}");
    }
    let het =
        node("{ partition = 'gpu' }") + "[nodes.c]\ncomponent = 'counter.wasm'\nslurm = { partition = 'short' }\n";
    let (taken, stderr) = tried(cluster, &het);
    assert!(taken, "{stderr}");
    for (words, said) in [
        ("{ cpus = 17 }", "Requested node configuration is not available"),
        ("{ partition = 'absent' }", "invalid partition specified: absent"),
        ("{ gpus = 3, partition = 'gpu' }", "Requested node configuration is not available"),
        ("{ partition = 'short', time = '2h' }", "time limit"),
        ("{ constraint = 'absent' }", "Invalid feature specification"),
        ("{ sbatch = ['--absent'] }", "unrecognized option"),
    ] {
        let (taken, stderr) = tried(cluster, &node(words));
        assert!(!taken && stderr.contains(said), "{words}: {stderr}");
    }
}
