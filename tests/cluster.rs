//! Programs whose hosts come by themselves, as the engine of a cluster starts them: here these tests are the engine.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use lp_host::engine::directory::{Directory, RunFile};
use lp_host::engine::journal::{Reader, Record};
use lp_host::engine::units::groups;
use lp_host::plan::LaunchType;
use lp_host::program::Linked;
use lp_host::remote::key::Key;
use tempfile::TempDir;

use crate::host;
use crate::run::Program;
use crate::runs::eventually;

/// A program in a directory, with its coordinator and its units.
struct Cluster {
    dir: TempDir,
    directory: Directory,
    coordinator: Child,
    units: Vec<(String, Child)>,
    _program: Program,
}

impl Cluster {
    fn new(file: &str) -> Self {
        let (dir, program) = (tempfile::tempdir().expect("a temporary directory can be made"), Program::new(file));
        let linked = Linked::load(&program.path(), &[]).expect("the program is right");
        let (plan, components) = lp_host::lower(&linked, LaunchType::Remote);
        let run = RunFile { id: "cluster-1".to_owned(), lease_ms: 1500, unit_wait_ms: 20_000 };
        let made = Directory::create(dir.path().join("program"), &plan, &components, &run);
        let directory = made.expect("it can be made");
        let coordinator = own(Command::new(host::BINARY), dir.path().join("coordinator"))
            .arg("coordinator")
            .arg(directory.path())
            .args(["--listen", "127.0.0.1:0", "--advertise", "127.0.0.1", "--journal"])
            .arg(dir.path().join("journal"))
            .stdout(Stdio::null())
            .spawn();
        let units = groups(&plan).into_iter().flat_map(|group| group.units).map(|unit| unit.name);
        let mut cluster =
            Self { dir, directory, coordinator: coordinator.expect("it starts"), units: Vec::new(), _program: program };
        cluster.units = units.map(|name| (name.clone(), cluster.unit(&name, &cluster.fingerprint()))).collect();
        cluster
    }

    fn fingerprint(&self) -> String {
        Key::load_or_create(&self.directory.coordinator_key()).expect("it is there").fingerprint().to_string()
    }

    /// Starts a unit.
    fn unit(&self, name: &str, known: &str) -> Child {
        let mut unit = own(Command::new(host::BINARY), self.dir.path().join(name));
        unit.arg("unit").arg("--coordinator").arg(format!("@{}", self.directory.address().display()));
        unit.args(["--known", known, "--name", name, "--wait", "10", "--key"]).arg(self.directory.unit_key());
        unit.arg("--components").arg(self.directory.components());
        unit.stdout(Stdio::null()).spawn().expect("it starts")
    }

    /// All records until now.
    fn journal(&self) -> Vec<Record> {
        let text = fs::read(self.dir.path().join("journal")).unwrap_or_default();
        Reader::default().read(&text).into_iter().map(|record| record.expect("nobody else writes there")).collect()
    }

    fn lines(&self) -> Vec<String> {
        let line = |record| match record {
            Record::Line { replica, line, .. } => Some(format!("{replica} {line}")),
            _ => None,
        };
        self.journal().into_iter().filter_map(line).collect()
    }

    #[track_caller]
    fn expect_line(&self, part: &str) {
        eventually(part, || self.lines().iter().any(|line| line.contains(part)));
    }

    /// How it ends: the exit code of the coordinator, after all units have ended well.
    #[track_caller]
    fn check_end(&mut self, code: i32) {
        assert_eq!(self.coordinator.wait().expect("it ends").code(), Some(code), "{:?}", self.lines());
        for (name, unit) in &mut self.units {
            assert_eq!(unit.wait().expect("it ends").code(), Some(0), "{name}");
        }
        let journal = self.journal();
        let Some(Record::End { end }) = journal.last() else { panic!("{journal:?}") };
        assert_eq!((&end["exit_code"], &end["program"]), (&code.into(), &"test".into()));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.coordinator.kill();
        for (_, unit) in &mut self.units {
            let _ = unit.kill();
        }
    }
}

/// A command that keeps its runs in a folder of its own.
fn own(mut command: Command, dir: PathBuf) -> Command {
    fs::create_dir_all(&dir).expect("it can be made");
    command.env("XDG_RUNTIME_DIR", dir);
    command
}

/// A server, and a client that calls it.
fn pair(steps: &str, restart: &str) -> String {
    format!(
        "[nodes.a]\nASYNC\nrun = false\nreplicas = 2\nrestart = {restart}\nhandles = {{ probe = 'a' }}\n\
         [nodes.b]\nASYNC\nhandles = {{ probe = 'a' }}\nargs = ['plain-echo:1', {steps}]\n"
    )
}

#[test]
fn a_program_runs_on_units_that_come_by_themselves() {
    let mut cluster = Cluster::new(&pair("'storm:40'", "'never'"));
    cluster.check_end(0);
    let lines = cluster.lines();
    assert!(lines.contains(&"b/0 1".to_owned()) && lines.contains(&"b/0 80".to_owned()), "{lines:?}");
    assert!(cluster.journal().contains(&Record::Up {}));
    let states: Vec<_> = cluster
        .journal()
        .into_iter()
        .filter_map(|record| match record {
            Record::State { status } => Some(status),
            _ => None,
        })
        .collect();
    assert_eq!(states[0]["id"], "cluster-1");
}

#[test]
fn a_unit_that_is_lost_is_waited_for_and_the_others_go_on() {
    let restart = "{ policy = 'on-failure', max = 100, backoff = '1ms', backoff-max = '1ms' }";
    let mut cluster = Cluster::new(&pair("'sleep:1000000'", restart));
    cluster.expect_line("b/0 1");
    let place = cluster.units.iter().position(|(name, _)| name == "a-1").expect("there is one");
    cluster.units[place].1.kill().expect("it runs");
    cluster.units[place].1.wait().expect("it ends");
    cluster.expect_line("`a/1` failed");
    cluster.units[place].1 = cluster.unit("a-1", &cluster.fingerprint());
    let is_back = |record: &Record| match record {
        Record::State { status } => status["replicas"].as_array().is_some_and(|replicas| {
            replicas.iter().all(|replica| replica["state"] == "running")
                && replicas
                    .iter()
                    .any(|replica| replica["node"] == "a" && replica["replica"] == 1 && replica["restarts"] == 1)
        }),
        _ => false,
    };
    eventually("the replica is back", || cluster.journal().last().is_some_and(is_back));
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&cluster.coordinator),
        rustix::process::Signal::TERM,
    )
    .expect("it runs");
    cluster.check_end(128 + 15);
}

#[test]
fn a_unit_refuses_another_coordinator_and_a_coordinator_what_is_no_unit() {
    let cluster = Cluster::new(&pair("'sleep:1000000'", "'never'"));
    cluster.expect_line("b/0 1");
    let other = Key::random().expect("there are keys").fingerprint().to_string();
    for (name, known) in [("z-0", cluster.fingerprint()), ("a-0", other)] {
        let mut unit = cluster.unit(name, &known);
        let code = unit.wait().expect("it ends").code();
        assert_eq!(code, Some(4), "{name}");
    }
    cluster.expect_line("refused a unit from 127.0.0.1: the program has no `z-0`");
}
