//! `lp-host run --watch`: builds what changed while the program runs, and hands the run a plan with the new components.

mod cargo;
mod copies;
mod files;
mod first;
mod inputs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use copies::Copies;
use files::{Files, Message, Stopped};
use inputs::Inputs;
use lp_base::plan::{LaunchType, NodeId, Plan};
use lp_base::words::Digest;
use lp_component::component::Component;
use lp_program::program::{Linked, Problems, Program};
use lp_run::launch::WorkerFiles;
use lp_run::observe::{LineOutputs, Recorded};
use lp_run::worker::Worker;
use lp_runtime::CompileCache;
use tokio::sync::{mpsc, watch};

use super::not_launched;
use super::notes::{Notes, Severity};
use crate::cli::build::shell::Shell;
use crate::cli::build::{self, Compile};
use crate::cli::compile::Compilation;
use crate::cli::screen::{Failure, Screen};

/// How often it is looked at whether a compilation has ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A file that changes during so many builds in a row is written by them. Nobody saves a file as often while they wait.
const WRITTEN_TIMES: u32 = 4;

/// The watched source of a program, from before its first build on.
pub(super) struct Watch {
    program: Program,
    program_file: PathBuf,
    log_dir: Option<PathBuf>,
    inputs: Inputs,
    files: Files,
}

/// What it takes to replace components of a program that runs.
pub(super) struct Replacing<'a> {
    pub(super) launch_type: LaunchType,
    pub(super) cache: Option<CompileCache>,
    pub(super) rebuilds: mpsc::Sender<Plan>,
    pub(super) screen: &'a Screen,
    pub(super) outputs: Arc<Recorded<LineOutputs>>,
}

/// Ends a watch when it is dropped, and the build that runs.
pub(super) struct Stopper {
    stopped: watch::Sender<bool>,
    files: Sender<Message>,
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.stopped.send_replace(true);
        let _ = self.files.send(Message::Stop);
    }
}

impl Watch {
    /// Begins to watch what `program` is built from, which was read from `program_file` and writes to `log_dir`.
    fn new(program: Program, program_file: &Path, log_dir: Option<&Path>, screen: &Screen) -> Result<Watch, Failure> {
        let shell = Shell::new(&program.dir, screen).map_err(not_launched)?;
        let inputs = Inputs::new(&program, program_file, log_dir, &shell)?;
        drop(shell);
        let files = Files::new().map_err(not_launched)?;
        let log_dir = log_dir.map(Path::to_owned);
        let mut watch = Watch { program, program_file: program_file.to_owned(), log_dir, inputs, files };
        watch.look().map_err(not_launched)?;
        Ok(watch)
    }

    fn look(&mut self) -> Result<(), files::WatchError> {
        self.files.watch(self.inputs.folders(), self.inputs.files(), self.inputs.left_out.clone())
    }

    /// Puts copies of the components of `plan` into the directory of the run and has it run those. Returns that plan, what
    /// to run on a thread of its own, and what ends that.
    pub(super) fn begin<'s>(
        self,
        plan: &Plan,
        run_dir: &Path,
        replacing: Replacing<'s>,
    ) -> Result<(Arc<Plan>, Rebuilding<'s>, Stopper), Failure> {
        let mut plan = Plan { watched: true, ..plan.clone() };
        let mut copies = Copies::create(WorkerFiles::of(run_dir).components()).map_err(not_launched)?;
        copies.take(&mut plan).map_err(not_launched)?;
        let plan = Arc::new(plan);
        let (sender, stopped) = watch::channel(false);
        let stopper = Stopper { stopped: sender, files: self.files.sender() };
        let (running, written) = (plan.clone(), BTreeSet::new());
        let rebuilding = Rebuilding { watch: self, replacing, copies, running, stopped, written };
        Ok((plan, rebuilding, stopper))
    }
}

/// A watch of a program that runs.
pub(super) struct Rebuilding<'a> {
    watch: Watch,
    replacing: Replacing<'a>,
    copies: Copies,
    /// The plan that runs, or will in a moment.
    running: Arc<Plan>,
    stopped: watch::Receiver<bool>,
    /// Files that builds write among the source.
    written: BTreeSet<PathBuf>,
}

impl Rebuilding<'_> {
    /// Builds and replaces what changes, until it is stopped.
    pub(super) fn run(mut self) {
        // What changed since before the first build: by it, or by the user meanwhile.
        let mut changes = self.watch.files.so_far();
        while let Ok(changed) = changes {
            if self.follow(changed).is_err() {
                return;
            }
            changes = self.watch.files.next();
        }
    }

    /// Builds until nothing has changed meanwhile.
    fn follow(&mut self, mut changed: BTreeSet<PathBuf>) -> Result<(), Stopped> {
        let mut in_a_row: BTreeMap<PathBuf, u32> = BTreeMap::new();
        loop {
            changed.retain(|path| !self.written.contains(path));
            let builds: BTreeSet<_> = changed.iter().flat_map(|path| self.watch.inputs.builds_of(path)).collect();
            self.look_again(&changed)?;
            let built = self.build(&builds)?;
            self.replace(&changed, &built)?;
            if builds.is_empty() {
                return Ok(());
            }
            changed = self.watch.files.so_far()?;
            in_a_row = changed.iter().map(|path| (path.clone(), in_a_row.get(path).unwrap_or(&0) + 1)).collect();
            for (path, _) in in_a_row.iter().filter(|(_, times)| **times >= WRITTEN_TIMES) {
                let shown = self.watch.inputs.shown(path);
                self.note("", &format!("`{shown}` changes with every build, so it is not watched any more"));
                self.written.insert(path.clone());
            }
        }
    }

    /// Takes note of other inputs, where a file changed that names them.
    fn look_again(&mut self, changed: &BTreeSet<PathBuf>) -> Result<(), Stopped> {
        let watch = &mut self.watch;
        if changed.contains(&watch.inputs.program_file) {
            let file = watch.inputs.shown(&watch.inputs.program_file).to_string();
            self.note("", &format!("`{file}` has changed, which is for the next run"));
            return Ok(());
        }
        if !changed.iter().any(|path| watch.inputs.depend_on(path)) {
            return Ok(());
        }
        let screen = self.replacing.screen;
        let Ok(shell) = Shell::new(&watch.program.dir, screen) else { return Ok(()) };
        shell.stop_with(self.stopped.clone());
        // A file that can't be read now is told of by the build.
        let Ok(inputs) = Inputs::new(&watch.program, &watch.program_file, watch.log_dir.as_deref(), &shell) else {
            return Ok(());
        };
        drop(shell);
        watch.inputs = inputs;
        if let Err(error) = watch.look() {
            screen.warning(&error.to_string());
        }
        Ok(())
    }

    /// Builds, one after the other, and returns the nodes of the builds that went well.
    fn build(&mut self, builds: &BTreeSet<usize>) -> Result<Vec<String>, Stopped> {
        let mut built = Vec::new();
        for &build in builds {
            let nodes = self.watch.inputs.nodes(build).to_vec();
            // Lines that show progress would be mixed with what the nodes print.
            let screen = self.replacing.screen.without_progress();
            let program = &self.watch.program;
            let shell = Shell::new(&program.dir, &screen).map_err(not_launched);
            let result = shell.and_then(|shell| {
                shell.stop_with(self.stopped.clone());
                build::build_in(&shell, program, &nodes, Compile::No, &screen)
            });
            match result {
                Ok(()) => built.extend(nodes),
                Err(failure) if failure.code() > 128 => return Err(Stopped),
                Err(failure) => {
                    self.replacing.screen.failure(&failure);
                    self.go_on(&nodes, "was not rebuilt");
                }
            }
        }
        Ok(built)
    }

    /// Says of nodes that they run on as they are.
    fn go_on<'n>(&self, nodes: impl IntoIterator<Item = &'n String>, why: &str) {
        for node in nodes {
            self.note(node, &format!("`{node}` {why}: it goes on as it was"));
        }
    }

    /// Hands over a plan with the components that are others than those that run.
    fn replace(&mut self, changed: &BTreeSet<PathBuf>, built: &[String]) -> Result<(), Stopped> {
        let touched = changed.iter().flat_map(|path| self.watch.inputs.runs(path));
        let concerned: BTreeSet<_> = built.iter().chain(touched).cloned().collect();
        let others = self.others();
        for node in built.iter().filter(|node| !others.contains(*node)) {
            self.note(node, &format!("`{node}` is the same as before"));
        }
        let nodes: BTreeSet<_> = others.intersection(&concerned).cloned().collect();
        if nodes.is_empty() {
            return Ok(());
        }
        // What did not fit before may fit together with what has changed now.
        if let Ok(linked) = self.link(&others) {
            return self.hand_over(&linked, &others);
        }
        match self.link(&nodes) {
            Ok(linked) => self.hand_over(&linked, &nodes),
            Err(problems) => {
                self.replacing.screen.failure(&problems.into());
                self.go_on(&nodes, "does not fit the program any more");
                Ok(())
            }
        }
    }

    /// The nodes whose components are others than those that run.
    fn others(&self) -> BTreeSet<String> {
        let nodes = self.watch.program.nodes.iter().zip(&self.running.nodes);
        let others = nodes.filter(|(node, running)| {
            // A file that is not there is about to be replaced.
            let found = Component::read_bytes(&node.component).ok().map(|bytes| Digest::of(&bytes));
            found.is_some_and(|found| running.component().is_some_and(|running| found != running.sha256))
        });
        others.map(|(node, _)| node.name.clone()).collect()
    }

    /// Links the program with the components of `nodes` as they are now, and with those of the others that run.
    fn link(&self, nodes: &BTreeSet<String>) -> Result<Linked, Problems> {
        let mut program = self.watch.program.clone();
        for (node, running) in program.nodes.iter_mut().zip(&self.running.nodes) {
            if let Some(running) = running.component().filter(|_| !nodes.contains(&node.name)) {
                node.component.clone_from(&running.file);
            }
        }
        program.link()
    }

    fn hand_over(&mut self, linked: &Linked, nodes: &BTreeSet<String>) -> Result<(), Stopped> {
        let lowered = lp_program::lower(linked, self.replacing.launch_type);
        let mut plan = Plan { watched: true, ..lowered };
        if let Err(error) = self.copies.take(&mut plan) {
            self.error(&format!("failed to copy a component: {error}"));
            self.go_on(nodes, "was not replaced");
            return Ok(());
        }
        if let Err(error) = self.compile(&plan, nodes)? {
            self.error(&error);
            self.go_on(nodes, "can't be run");
            return Ok(());
        }
        self.running = Arc::new(plan.clone());
        self.replacing.rebuilds.blocking_send(plan).map_err(|_| Stopped)
    }

    /// Fills the cache, so that nodes don't stand still while they are compiled.
    fn compile(&self, plan: &Plan, nodes: &BTreeSet<String>) -> Result<Result<(), String>, Stopped> {
        let Some(cache) = self.replacing.cache.clone() else { return Ok(Ok(())) };
        let ids = (0..).map(NodeId).zip(&plan.nodes).filter(|(_, node)| nodes.contains(&node.name));
        let (ids, plan) = (ids.map(|(id, _)| id).collect(), plan.clone());
        // On a thread that is left behind when the program ends, because a compilation can't be stopped.
        let compiling =
            std::thread::spawn(move || Worker::compile_nodes(&plan, &ids, cache, &mpsc::unbounded_channel().0));
        while !compiling.is_finished() {
            if *self.stopped.borrow() {
                return Err(Stopped);
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        let compiled = compiling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(compiled.map_err(|error| crate::cli::screen::with_causes(&error)))
    }

    fn note(&self, node: &str, text: &str) {
        self.notes().say(Severity::Note, node, text, None);
    }

    fn error(&self, text: &str) {
        self.notes().say(Severity::Error, "", text, None);
    }

    fn notes(&self) -> Notes<'_> {
        Notes { screen: self.replacing.screen, outputs: &self.replacing.outputs, compilation: Compilation::default() }
    }
}

/// A path that is the same whichever way it was written. Its file need not be there, nor its folder.
fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let Some((above, real)) = there else { return path.to_owned() };
    match path.strip_prefix(above) {
        Ok(below) if below.as_os_str().is_empty() => real,
        Ok(below) => real.join(below),
        Err(_) => path.to_owned(),
    }
}
