//! `lp-host run --watch`, through the real binary: what is rebuilt, what restarts, and what goes on meanwhile.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{ChildStderr, Command};

use lp_host::plan::LaunchType;
use rustix::process::{Pid, Signal, test_kill_process};

use crate::host;
use crate::run::{Going, Program};
use crate::runs::{Machine, eventually};

/// A program that is watched, and what it says on stderr.
pub struct Watched {
    pub machine: Machine,
    pub program: Program,
    pub going: Going,
    stderr: Lines<BufReader<ChildStderr>>,
    pub said: String,
}

impl Watched {
    /// Starts a program beside these files. `ASYNC` and `PLAIN` in it are the probes.
    fn start(launch_type: LaunchType, toml: &str, files: &[(&str, &[u8])]) -> Self {
        Self::start_by(launch_type, toml, files, |command| command)
    }

    /// The same with a command that is changed before.
    pub fn start_by(
        launch_type: LaunchType,
        toml: &str,
        files: &[(&str, &[u8])],
        change: impl FnOnce(Command) -> Command,
    ) -> Self {
        eprintln!("launch type {launch_type}");
        let (machine, program) = (Machine::new(), Program::new(toml));
        for (path, bytes) in files {
            let path = program.dir.path().join(path);
            fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
            fs::write(path, bytes).expect("it can be written");
        }
        let mut command = machine.command(&["run", "--watch", "--launch-type", &launch_type.to_string()]);
        command.arg(program.path());
        let mut going = Going::spawn(change(command));
        let stderr = BufReader::new(going.child.stderr.take().expect("stderr is piped")).lines();
        Self { machine, program, going, stderr, said: String::new() }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.program.dir.path().join(file)
    }

    pub fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(file), bytes).expect("it can be written");
    }

    /// Reads until a line says `text`.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        for line in self.stderr.by_ref() {
            let line = line.expect("stderr can be read");
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(text) {
                return;
            }
        }
        panic!("nothing says {text:?}:\n{}", self.said);
    }

    #[track_caller]
    pub fn check_call(&self, node: &str, function: &str, result: &str) {
        assert_eq!(self.machine.data(&["call", &format!("test/{node}"), function]).trim_end(), result);
    }

    /// Reads until a node is rebuilt, and waits until its replicas have restarted so many times.
    #[track_caller]
    pub fn expect_restart(&mut self, node: &str, restarts: &[u64]) {
        self.expect(&format!("note: `{node}` was rebuilt: restarting"));
        eventually("the restart", || self.restarts(node) == restarts);
    }

    /// The restarts of the replicas of a node.
    pub fn restarts(&self, node: &str) -> Vec<u64> {
        let runs = self.machine.ps();
        let replicas = runs[0]["replicas"].as_array().expect("there are replicas").iter();
        let of_node = replicas.filter(|replica| replica["node"] == node);
        of_node.map(|replica| replica["restarts"].as_u64().expect("it is a number")).collect()
    }

    /// Interrupts it, and returns what it said in all.
    #[track_caller]
    pub fn interrupt(mut self) -> String {
        self.going.signal(Signal::INT);
        for line in self.stderr.by_ref().map_while(Result::ok) {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        assert_eq!(self.going.child.wait().expect("it can be waited for").code(), Some(130), "{}", self.said);
        assert_eq!(self.machine.run_dirs(), [] as [PathBuf; 0], "{}", self.said);
        self.said
    }
}

fn launch_types() -> impl Iterator<Item = LaunchType> {
    host::LAUNCH_TYPES.iter().copied()
}

/// A component that counts its calls from a number on. With `again` it has one more function, before the other.
pub fn counter(base: u32, again: bool) -> Vec<u8> {
    let again = if again { "(export \"again\" (func $next))" } else { "" };
    let text = format!(
        "(component
           (core module $code
             (global $count (mut i32) (i32.const {base}))
             (func (export \"next\") (result i32)
               (global.set $count (i32.add (global.get $count) (i32.const 1)))
               (global.get $count)))
           (core instance $code (instantiate $code))
           (func $next (result u32) (canon lift (core func $code \"next\")))
           (instance $counter {again} (export \"next\" (func $next)))
           (export \"test:count/counter\" (instance $counter)))"
    );
    wat::parse_str(text).expect("it compiles")
}

/// The probe as another build of it: with a section that says nothing.
pub fn probe(build: u8) -> Vec<u8> {
    let mut bytes = fs::read(host::guests().join("probe.wasm")).expect("the guest is built");
    bytes.extend([0, 2, 1, build]);
    bytes
}

/// A node that is built from `a.src`, by a compiler that knows one mistake.
pub const BUILT: &str = "[nodes.a]\ncomponent = 'out/a.wasm'\n\
    build = \"if grep -q mistake a.src; then echo 'a.src:1: a mistake'; exit 1; fi; mkdir -p out; cp a.src out/a.wasm\"\n";

#[test]
fn what_is_rebuilt_restarts_and_the_others_keep_their_state() {
    for launch_type in launch_types() {
        let toml = format!("{BUILT}replicas = 2\n[nodes.c]\ncomponent = 'c.wasm'\n");
        let files: [(&str, &[u8]); 2] = [("a.src", &counter(0, false)), ("c.wasm", &counter(0, false))];
        let mut watched = Watched::start(launch_type, &toml, &files);
        eventually("the start", || watched.machine.screen(&["call", "test/c", "next"]).0 == Some(0));
        watched.check_call("a/0", "next", "1");
        watched.check_call("c", "next", "2");
        watched.write("a.src", counter(100, true));
        watched.expect_restart("a", &[1, 1]);
        watched.check_call("a/0", "next", "101");
        watched.check_call("a/1", "again", "101");
        watched.check_call("c", "next", "3");
        assert_eq!(watched.restarts("c"), [0]);
        watched.write("a.src", "a mistake");
        watched.expect("a.src:1: a mistake");
        watched.expect("error: the build of `a` failed: exit status: 1");
        watched.expect("note: `a` was not rebuilt: it goes on as it was");
        watched.check_call("a/0", "next", "102");
        watched.write("a.src", counter(100, true));
        watched.expect("note: `a` is the same as before");
        watched.check_call("a/0", "next", "103");
        watched.write("a.src", counter(200, false));
        watched.expect_restart("a", &[2, 2]);
        watched.check_call("a/0", "next", "201");
        watched.check_call("c", "next", "4");
        let logs = watched.machine.data(&["logs", "test", "a"]);
        assert!(logs.contains("lp-host │ note: `a` was rebuilt: restarting"), "{logs}");
        let said = watched.interrupt();
        assert_eq!(said.matches("building `a`").count(), 5, "{said}");
    }
}

#[test]
fn a_component_that_is_replaced_restarts_its_node_alone_even_within_a_group() {
    for launch_type in launch_types() {
        let toml = "[nodes.a]\ncomponent = 'a.wasm'\n[nodes.c]\ncomponent = 'c.wasm'\n\
            [colocate.both]\nnodes = ['a', 'c']\nmode = 'threads'\n";
        let files: [(&str, &[u8]); 2] = [("a.wasm", &counter(0, false)), ("c.wasm", &counter(0, false))];
        let mut watched = Watched::start(launch_type, toml, &files);
        eventually("the start", || watched.machine.screen(&["call", "test/c", "next"]).0 == Some(0));
        watched.write("new", counter(100, false));
        fs::rename(watched.path("new"), watched.path("a.wasm")).expect("it can be renamed");
        watched.expect_restart("a", &[1]);
        watched.check_call("a", "next", "101");
        watched.check_call("c", "next", "2");
        watched.interrupt();
    }
}

#[test]
fn no_call_is_lost_while_its_callee_is_rebuilt() {
    for launch_type in launch_types() {
        let toml = "[nodes.a]\ncomponent = 'a.wasm'\nhandles = { probe = 'a' }\nrun = false\n\
            [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['plain-echo:5', 'load:/data/end']\n\
            sandbox = { dirs = [{ host = 'data', guest = '/data', access = 'read-write' }] }\n";
        let mut watched = Watched::start(launch_type, toml, &[("a.wasm", &probe(0)), ("data/x", b"")]);
        watched.going.expect_line("b/0 │ 5");
        for build in 1..4 {
            watched.write("new", probe(build));
            fs::rename(watched.path("new"), watched.path("a.wasm")).expect("it can be renamed");
            watched.expect_restart("a", &[u64::from(build)]);
        }
        watched.write("data/end", "");
        let mut line = String::new();
        watched.going.stdout.read_line(&mut line).expect("stdout can be read");
        assert!(line.ends_with(" rightly, 0 by their callee's death, others: []\n"), "{line}\n{}", watched.said);
        watched.expect("note: nothing is left to run: waiting for changes");
        watched.interrupt();
    }
}

#[test]
fn a_component_that_does_not_fit_is_refused() {
    for launch_type in launch_types() {
        let toml = "[nodes.a]\ncomponent = 'a.wasm'\nhandles = { probe = 'a' }\nrun = false\n\
            [nodes.b]\nASYNC\nhandles = { probe = 'a' }\n\
            args = ['plain-echo:5', 'wait-for:/data/go', 'plain-echo:6', 'wait-for-stop']\n\
            sandbox = { dirs = [{ host = 'data', guest = '/data', access = 'read' }] }\n";
        let mut watched = Watched::start(launch_type, toml, &[("a.wasm", &probe(0)), ("data/x", b"")]);
        watched.going.expect_line("b/0 │ 5");
        watched.write("a.wasm", counter(0, false));
        watched.expect("error[wrong-interface]: the node `a` does not export `test:probe/probe`, which `b` imports");
        watched.expect("note: `a` does not fit the program any more: it goes on as it was");
        watched.write("data/go", "");
        watched.going.expect_line("b/0 │ 6");
        watched.write("program.toml", "name = 'test'\n");
        watched.expect("note: `program.toml` has changed, which is for the next run");
        watched.write("a.wasm", probe(1));
        watched.expect("note: `a` was rebuilt: restarting");
        watched.interrupt();
    }
}

/// A component that calls a counter of this interface when it is called.
pub fn relay(interface: &str) -> Vec<u8> {
    let text = format!(
        "(component
           (import \"test:{interface}/counter\" (instance $counter (export \"next\" (func (result u32)))))
           (core func $next (canon lower (func $counter \"next\")))
           (core module $code
             (import \"\" \"next\" (func $next (result i32)))
             (func (export \"next\") (result i32) (call $next)))
           (core instance $code (instantiate $code (with \"\" (instance (export \"next\" (func $next))))))
           (func $next (result u32) (canon lift (core func $code \"next\")))
           (instance $relay (export \"next\" (func $next)))
           (export \"test:relay/relay\" (instance $relay)))"
    );
    wat::parse_str(text).expect("it compiles")
}

#[test]
fn an_interface_changes_when_both_its_ends_have() {
    let renamed = |component: Vec<u8>| {
        let mut bytes = component;
        for start in 0..bytes.len() - 10 {
            if bytes[start..].starts_with(b"test:count/") {
                bytes[start..start + 10].copy_from_slice(b"test:other");
            }
        }
        bytes
    };
    for launch_type in launch_types() {
        let toml = "[nodes.a]\ncomponent = 'a.wasm'\n[nodes.b]\ncomponent = 'b.wasm'\nhandles = { counter = 'a' }\n\
            [nodes.c]\ncomponent = 'c.wasm'\n";
        let files: [(&str, &[u8]); 3] =
            [("a.wasm", &counter(0, false)), ("b.wasm", &relay("count")), ("c.wasm", &counter(0, false))];
        let mut watched = Watched::start(launch_type, toml, &files);
        eventually("the start", || watched.machine.screen(&["call", "test/b", "next"]).0 == Some(0));
        watched.write("a.wasm", renamed(counter(100, false)));
        watched.expect("note: `a` does not fit the program any more: it goes on as it was");
        watched.check_call("b", "next", "2");
        // What does not fit holds up nobody else.
        watched.write("c.wasm", counter(100, false));
        watched.expect_restart("c", &[1]);
        watched.write("b.wasm", relay("other"));
        watched.expect("note: `a` was rebuilt: restarting");
        watched.expect_restart("b", &[1]);
        watched.check_call("b", "next", "101");
        watched.check_call("c", "next", "101");
        watched.interrupt();
    }
}

#[test]
fn a_program_that_has_nothing_left_to_run_waits_for_changes() {
    for launch_type in launch_types() {
        let toml = "[nodes.a]\ncomponent = 'a.wasm'\nhandles = { probe = 'a' }\nargs = ['print:ran']\n\
            [nodes.b]\ncomponent = 'b.wasm'\nhandles = { probe = 'b' }\nargs = ['trap:boom']\n";
        let mut watched = Watched::start(launch_type, toml, &[("a.wasm", &probe(0)), ("b.wasm", &probe(0))]);
        watched.going.expect_line("a/0 │ ran");
        watched.expect("note: nothing is left to run: waiting for changes; Ctrl-C ends the program");
        assert!(watched.said.contains("note: `b/0` starts again when it is rebuilt"), "{}", watched.said);
        watched.write("a.wasm", probe(1));
        watched.expect("note: `a` was rebuilt: restarting");
        watched.going.expect_line("a/0 │ ran");
        watched.expect("note: nothing is left to run");
        watched.write("b.wasm", probe(1));
        watched.expect("note: `b` was rebuilt: restarting");
        watched.expect("error: `b/0` failed");
        watched.interrupt();
    }
}

#[test]
fn a_program_that_a_node_has_stopped_starts_again_as_a_whole() {
    for launch_type in launch_types() {
        let toml = "[nodes.a]\ncomponent = 'a.wasm'\nhandles = { probe = 'b' }\nargs = ['plain-echo:5', 'stop']\n\
            [nodes.b]\nASYNC\nhandles = { probe = 'b' }\nrun = false\n";
        let mut watched = Watched::start(launch_type, toml, &[("a.wasm", &probe(0))]);
        for build in 1..3 {
            watched.going.expect_line("a/0 │ 5");
            watched.expect("note: the program has ended: it starts again with the next change");
            watched.write("a.wasm", probe(build));
            watched.expect("note: `a` was rebuilt: restarting");
        }
        watched.going.expect_line("a/0 │ 5");
        let said = watched.interrupt();
        assert!(!said.contains("nothing is left to run"), "{said}");
    }
}

#[test]
fn a_first_build_that_fails_is_tried_again_after_a_change() {
    let toml = "[nodes.a]\ncomponent = 'a.wasm'\nrun = false\nbuild = 'cp a.src a.wasm'\n";
    let mut watched = Watched::start(LaunchType::Threads, toml, &[]);
    watched.expect("the build of `a` failed");
    watched.expect("note: waiting for a change");
    watched.write("a.src", counter(0, false));
    eventually("the start", || watched.machine.screen(&["call", "test/a", "next"]).0 == Some(0));
    watched.check_call("a", "next", "2");
    watched.interrupt();
    let mut waiting = Watched::start(LaunchType::Threads, toml, &[]);
    waiting.expect("note: waiting for a change");
    waiting.going.signal(Signal::INT);
    assert_eq!(waiting.going.child.wait().expect("it can be waited for").code(), Some(130));
}

/// Ends a program while a node is built, and checks that nothing is left of either.
#[track_caller]
fn check_ends_amid_build(end: impl Fn(Watched)) {
    for launch_type in launch_types() {
        let toml = "[nodes.a]\ncomponent = 'out/a.wasm'\nrun = false\n\
            build = 'mkdir -p out; if test -s a.src; then echo $$ > .pid; sleep 1000; fi; cp c.wasm out/a.wasm'\n";
        let watched = Watched::start(launch_type, toml, &[("a.src", b""), ("c.wasm", &counter(0, false))]);
        eventually("the start", || watched.machine.screen(&["call", "test/a", "next"]).0 == Some(0));
        watched.write("a.src", "slow");
        let mut pid = None;
        eventually("the build", || {
            let text = fs::read_to_string(watched.path(".pid")).unwrap_or_default();
            pid = text.trim().parse().ok().and_then(Pid::from_raw);
            pid.is_some()
        });
        end(watched);
        eventually("the end of the build", || pid.is_some_and(|pid| test_kill_process(pid).is_err()));
    }
}

#[test]
fn an_interrupt_ends_a_build_at_once() {
    check_ends_amid_build(|watched| drop(watched.interrupt()));
}

#[test]
fn a_stop_ends_a_build_at_once() {
    check_ends_amid_build(|mut watched| {
        assert_eq!(watched.machine.screen(&["stop", "test"]).0, Some(0));
        assert_eq!(watched.going.child.wait().expect("it can be waited for").code(), Some(143));
        assert_eq!(watched.machine.run_dirs(), [] as [PathBuf; 0]);
    });
}

#[test]
fn a_file_that_a_build_writes_does_not_keep_it_building() {
    let toml = format!("{BUILT}[nodes.b]\ncomponent = 'b.wasm'\nbuild = 'echo more >> log; cp c.wasm b.wasm'\n");
    let files: [(&str, &[u8]); 2] = [("a.src", &counter(0, false)), ("c.wasm", &counter(0, false))];
    let mut watched = Watched::start(LaunchType::Threads, &toml, &files);
    watched.expect("note: `log` changes with every build, so it is not watched any more");
    watched.write("a.src", counter(100, false));
    watched.expect_restart("a", &[1]);
    watched.check_call("a", "next", "101");
    watched.interrupt();
}

const LOCK: &str = "version = 4

[[package]]
name = \"a\"
version = \"0.0.0\"
dependencies = [
 \"words\",
]

[[package]]
name = \"b\"
version = \"0.0.0\"

[[package]]
name = \"words\"
version = \"0.0.0\"
";

#[test]
fn cargo_tells_which_node_a_change_concerns() {
    host::guests();
    let build = |name: &str| {
        format!(
            "[nodes.{name}]\ncomponent = 'target/wasm32-wasip2/release/{name}.wasm'\n\
             build = 'cargo build --release --target wasm32-wasip2 -p {name}'\n"
        )
    };
    let package = |name: &str, rest: &str| format!("[package]\nname = '{name}'\nedition = '2024'\n{rest}");
    let say = |text: &str| format!("pub const TEXT: &str = \"{text}\";\n");
    let main = "fn main() {\n    println!(\"{}\", words::TEXT);\n}\n";
    let files = [
        ("Cargo.toml", "[workspace]\nresolver = '3'\nmembers = ['a', 'b', 'words']\n".to_owned()),
        ("words/Cargo.toml", package("words", "")),
        ("words/src/lib.rs", say("one")),
        ("a/Cargo.toml", package("a", "[dependencies]\nwords = { path = '../words' }\n")),
        ("a/src/main.rs", main.to_owned()),
        ("b/Cargo.toml", package("b", "")),
        ("b/src/main.rs", main.replace("words::TEXT", "0")),
        // With it, the first build changes nothing that is watched.
        ("Cargo.lock", LOCK.to_owned()),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    let mut watched = Watched::start(LaunchType::Threads, &(build("a") + &build("b")), &files);
    watched.expect("note: nothing is left to run");
    watched.write("words/src/lib.rs", say("two"));
    watched.expect("note: `a` was rebuilt: restarting");
    watched.expect("note: nothing is left to run");
    let before = watched.said.matches("building `b`").count();
    watched.write("b/src/main.rs", main.replace("words::TEXT", "1"));
    watched.expect("note: `b` was rebuilt: restarting");
    assert_eq!(watched.said.matches("building `b`").count(), before + 1, "{}", watched.said);
    watched.interrupt();
}
