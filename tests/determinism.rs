//! One seed, one run: the same lines, calls and times byte for byte, in each language, whatever else the machine does.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{host, meeting};

/// A hundred calls under way in one guest and worked on in another, which a third lets go when all have come.
fn write_program(dir: &Path, language: &str) -> Result<(), String> {
    let gate = host::build(&["gate"]).join("gate.wasm");
    let guest = meeting::component(language)?;
    let (gate, guest) = (gate.display(), guest.display());
    let at_once = if language == "go" { 1 } else { 100 };
    let program = format!(
        "name = \"meeting\"\n[nodes.gate]\ncomponent = \"{gate}\"\n\
         [nodes.relay]\ncomponent = \"{guest}\"\nhandles = {{ meeting = \"gate\", relay = \"relay\" }}\nrun = false\n\
         [nodes.caller]\ncomponent = \"{guest}\"\nhandles = {{ meeting = \"gate\", relay = \"relay\" }}\n\
         config = {{ at-once = \"{at_once}\", calls = \"3\" }}\n"
    );
    let tests = format!(
        "[tests.meets]\nwaits-for = [\"caller\"]\n\
         expect = {{ output = [\"caller/0 │ {at_once} calls met {at_once}\"] }}\n\
         faults = [{{ reorder = \"caller -> relay\", by = \"20ms\" }}]\n"
    );
    std::fs::write(dir.join("program.toml"), program).expect("it can be written");
    std::fs::write(dir.join("program.test.toml"), tests).expect("it can be written");
    Ok(())
}

/// Everything that is shown and drawn of the run with this seed. On one core, if `pinned`.
fn run(dir: &Path, seed: u32, pinned: bool) -> String {
    let mut command = match pinned {
        true => Command::new("taskset"),
        false => Command::new(host::BINARY),
    };
    if pinned {
        command.args(["-c", "0", host::BINARY]);
    }
    let drawing = dir.join("run.svg");
    command.args(["test", "--seed", &seed.to_string(), "--format", "json", "--timeline"]).arg(&drawing);
    let output = command.arg("program.toml").current_dir(dir).output().expect("the binary runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    let result: serde_json::Value =
        serde_json::from_str(stdout.lines().next().unwrap_or_default()).expect("it is JSON");
    format!("{result:#}\n{stderr}\n{}", std::fs::read_to_string(drawing).expect("it was written"))
}

/// Keeps every core busy until it is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn new() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..2 * std::thread::available_parallelism().map_or(1, |cores| cores.get()) {
            let over = over.clone();
            std::thread::spawn(move || while !over.load(Ordering::Relaxed) {});
        }
        Self(over)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[track_caller]
fn check(language: &str) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    if let Err(reason) = write_program(dir.path(), language) {
        return eprintln!("skipped: {reason}");
    }
    let runs: Vec<_> = (0..10).map(|seed| run(dir.path(), seed, false)).collect();
    assert_eq!(runs.iter().collect::<BTreeSet<_>>().len(), 10, "two seeds had the same run: {}", runs[0]);
    let load = Load::new();
    for (seed, first) in (0..).zip(&runs) {
        let again = run(dir.path(), seed, seed % 2 == 0);
        assert!(again == *first, "{language}, seed {seed}: {first}\n\nand then\n\n{again}");
    }
    drop(load);
}

#[test]
fn a_seed_has_one_run_of_rust_guests() {
    check("rust");
}

#[test]
fn a_seed_has_one_run_of_python_guests() {
    check("python");
}

#[test]
fn a_seed_has_one_run_of_javascript_guests() {
    check("js");
}

#[test]
fn a_seed_has_one_run_of_c_guests() {
    check("c");
}

#[test]
fn a_seed_has_one_run_of_go_guests() {
    check("go");
}
