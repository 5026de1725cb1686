//! `lp-host test --watch`: what changes is run again, and nothing else.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::host;

/// A folder with two programs and their tests, which are watched.
struct Watched {
    dir: TempDir,
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const TESTS: &str = "[tests.echoes]\ncalls = ['a.echo([1]) -> [1]']\n";

impl Watched {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        for name in ["one", "two"] {
            let file = |end: &str| dir.path().join(format!("{name}{end}"));
            fs::copy(host::guests().join("probe.wasm"), file(".wasm")).expect("it can be copied");
            let program = format!(
                "name = '{name}'\n[nodes.a]\ncomponent = '{name}.wasm'\nhandles = {{ probe = 'a' }}\nrun = false\n"
            );
            fs::write(file(".toml"), program).expect("it can be written");
            fs::write(file(".test.toml"), TESTS).expect("it can be written");
        }
        let mut command = Command::new(host::BINARY);
        command.args(["test", "--watch", "."]).current_dir(dir.path()).env("NO_COLOR", "1").stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        Self { dir, child, stderr }
    }

    fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        // In one step, as editors do.
        let new = self.dir.path().join("new");
        fs::write(&new, bytes).expect("it can be written");
        fs::rename(new, self.dir.path().join(file)).expect("it can be renamed");
    }

    /// What is said until a change is waited for.
    fn said(&mut self) -> String {
        let mut said = String::new();
        for line in self.stderr.by_ref() {
            let line = line.expect("stderr can be read");
            if line == "note: waiting for a change" {
                return said;
            }
            said.push_str(&line);
            said.push('\n');
        }
        panic!("it has ended:\n{said}");
    }
}

#[test]
fn the_tests_of_a_program_run_again_when_it_has_changed() {
    let mut watched = Watched::start();
    assert!(watched.said().ends_with("2 passed, 0 failed\n"));
    watched.write("one.test.toml", TESTS.replace("-> [1]", "-> [2]"));
    let said = watched.said();
    assert!(said.contains("found `[1]`") && said.contains("one.test.toml echoes"), "{said}");
    assert!(said.ends_with("0 passed, 1 failed\n"), "{said}");
    watched.write("one.test.toml", "[tests.echoes]\ncals = []\n");
    let said = watched.said();
    assert!(said.contains("error[unknown-key]") && !said.contains("passed"), "{said}");
    watched.write("one.test.toml", TESTS);
    assert!(watched.said().ends_with("1 passed, 0 failed\n"));
    // Another component.
    watched.write("two.wasm", fs::read(host::guests().join("probe_plain.wasm")).expect("it is there"));
    let said = watched.said();
    assert!(said.contains("two.test.toml echoes") && said.ends_with("1 passed, 0 failed\n"), "{said}");
    // The program file.
    let program = fs::read_to_string(watched.dir.path().join("two.toml")).expect("it is there");
    watched.write("two.toml", program.replace("run = false\n", "run = false\nreplicas = 2\n"));
    assert!(watched.said().ends_with("1 passed, 0 failed\n"));
    let pid = Pid::from_raw(watched.child.id().try_into().expect("a pid")).expect("a pid");
    kill_process(pid, Signal::TERM).expect("it can be sent");
    assert_eq!(watched.child.wait().expect("it ends").code(), Some(143));
}
