//! Hostile guests, each beside honest nodes of the same worker: how they end, what is said of it, and that the others
//! go on answering in a host of bounded size.
//!
//! A guest is a file of `guests/hostile`: `src/bin/NAME.rs`, or `wat/NAME.wat` for what Rust can't express.

mod edges;
mod escapes;
mod holdings;
mod limits;
mod network;
mod requests;
mod secrets;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lp_host::plan::LaunchType;
pub(crate) use requests::{answer, serve, server};

use crate::host;
use crate::run::Program;

/// The time within which a bystander answers nine of ten calls.
const ANSWER_MAX: Duration = Duration::from_millis(100);

/// The most memory that each process of a run may ever have taken, beside what the hostile node may have.
const MEMORY_KIB_MAX: u64 = 256 * 1024;

/// A hostile node, what is around it, and what must come of it.
pub(crate) struct Attack<'a> {
    /// The name of the guest's file.
    guest: &'a str,
    /// What the file says of the node beside its component, and of any further nodes: `[nodes.b]\nGUEST:name\n`.
    settings: &'a str,
    /// The file of an operator's limits, if there is one.
    operator: Option<&'a str>,
    /// The exit code: 1, where a node has failed.
    code: i32,
    /// What stderr says.
    stderr: Vec<&'a str>,
    /// What stdout says.
    stdout: Vec<&'a str>,
    /// Puts into the directory of the program what the guest is after.
    prepare: fn(&Path),
}

impl<'a> Attack<'a> {
    /// Has the node `hostile` run `guest`, and fail.
    pub(crate) fn new(guest: &'a str) -> Self {
        Self {
            guest,
            settings: "",
            operator: None,
            code: 1,
            stderr: vec!["error: `hostile/0` failed: "],
            stdout: Vec::new(),
            prepare: |_| {},
        }
    }

    pub(crate) fn settings(self, settings: &'a str) -> Self {
        Self { settings, ..self }
    }

    /// Runs it under the limits of an operator.
    pub(crate) fn operator(self, limits: &'a str) -> Self {
        Self { operator: Some(limits), ..self }
    }

    pub(crate) fn prepare(self, prepare: fn(&Path)) -> Self {
        Self { prepare, ..self }
    }

    /// Has it fail nothing: the program ends well, with the attack held off.
    pub(crate) fn held_off(self) -> Self {
        Self { code: 0, stderr: Vec::new(), ..self }
    }

    pub(crate) fn stderr(mut self, text: &'a str) -> Self {
        self.stderr.push(text);
        self
    }

    pub(crate) fn stdout(mut self, text: &'a str) -> Self {
        self.stdout.push(text);
        self
    }

    /// Runs it under every launch type, with a bystander that answers and a watcher that calls it, all in one worker.
    #[track_caller]
    pub(crate) fn check(&self) {
        for launch_type in host::LAUNCH_TYPES {
            self.check_as(*launch_type);
        }
    }

    fn toml(&self) -> String {
        let nodes = format!(
            "[nodes.hostile]\nGUEST:{}\n{}\n\
             [nodes.bystander]\nASYNC\nhandles = {{ probe = 'bystander' }}\nrun = false\n\
             [nodes.watcher]\nASYNC\nhandles = {{ probe = 'bystander' }}\nargs = ['watch:20']\n",
            self.guest, self.settings
        );
        let names = nodes.lines().filter_map(|line| line.strip_prefix("[nodes.")?.strip_suffix(']'));
        let names = names.filter(|name| !name.contains('.')).map(|name| format!("'{name}'")).collect::<Vec<_>>();
        let lines = nodes.lines().map(|line| match line.strip_prefix("GUEST:") {
            Some(guest) => format!("component = '{}'", component(guest).display()),
            None => line.to_owned(),
        });
        let nodes = lines.collect::<Vec<_>>().join("\n");
        format!("grace = '1s'\n{nodes}\n[colocate.together]\nnodes = [{}]\n", names.join(", "))
    }

    #[track_caller]
    fn check_as(&self, launch_type: LaunchType) {
        let program = Program::new(&self.toml());
        (self.prepare)(program.dir.path());
        let mut command = program.command();
        command.args(["--launch-type", &launch_type.to_string()]).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(limits) = self.operator {
            let file = program.dir.path().join("operator.toml");
            std::fs::write(&file, limits).expect("it can be written");
            command.arg("--limits").arg(file);
        }
        let child = command.spawn().expect("the binary runs");
        let (id, ended) = (child.id(), AtomicBool::new(false));
        let (output, peak) = std::thread::scope(|scope| {
            let peak = scope.spawn(|| peak_kib(id, &ended));
            let output = child.wait_with_output().expect("its output can be read");
            ended.store(true, Ordering::Relaxed);
            (output, peak.join().expect("the memory can be read"))
        });
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let context = format!("launch type {launch_type}\n--- stdout\n{}--- stderr\n{}", end(&stdout), end(&stderr));
        assert_eq!(output.status.code(), Some(self.code), "{context}");
        for text in &self.stderr {
            assert!(stderr.contains(text), "stderr lacks {text:?}\n{context}");
        }
        for text in &self.stdout {
            assert!(stdout.contains(text), "stdout lacks {text:?}\n{context}");
        }
        // What a guest got hold of, it calls its loot.
        assert!(!stdout.contains("loot: ") && !stderr.contains("\nloot: "), "the guest has got something\n{context}");
        let watched = stdout.lines().find_map(|line| line.strip_prefix("watcher/0")?.trim_start().strip_prefix("│ "));
        let watched = watched.and_then(|micros| micros.parse().ok()).map(Duration::from_micros);
        assert!(watched.is_some_and(|time| time < ANSWER_MAX), "the bystander answered in {watched:?}\n{context}");
        assert!(peak < MEMORY_KIB_MAX, "a process of the run took {peak} KiB\n{context}");
    }
}

/// The end of an output that may be a flood.
fn end(output: &str) -> &str {
    &output[output.floor_char_boundary(output.len().saturating_sub(10_000))..]
}

/// The component of a hostile guest.
pub(crate) fn component(guest: &str) -> PathBuf {
    let wat = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/hostile/wat").join(guest).with_extension("wat");
    if !wat.exists() {
        return host::guests().join(guest).with_extension("wasm");
    }
    let path = host::guests().join(format!("hostile-{guest}.wasm"));
    let wasm = wat::parse_file(wat).unwrap_or_else(|error| panic!("{error}"));
    // Tests run at once, and none may read what another has half written.
    let file = tempfile::NamedTempFile::new_in(host::guests()).expect("the folder can be written");
    std::fs::write(file.path(), wasm).expect("it can be written");
    file.persist(&path).expect("it can be replaced");
    path
}

/// The most memory, in KiB, that the process `id` or one that it started took at once, by what the kernel remembers.
fn peak_kib(id: u32, ended: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !ended.load(Ordering::Relaxed) {
        for process in family(id) {
            peak = high_water_kib(process).unwrap_or(0).max(peak);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    peak
}

pub(crate) fn high_water_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// The process `id` and those that it started, as far as they are there.
pub(crate) fn family(id: u32) -> BTreeSet<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let children = tasks.flat_map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.split_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<u32>>()
    });
    children.chain([id]).collect()
}
