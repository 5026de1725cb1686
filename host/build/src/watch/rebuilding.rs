//! A program that runs while its source changes: what is rebuilt, and which plan replaces the one that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use lp_base::plan::{LaunchType, NodeId, Plan};
use lp_base::scheduler::Scheduler;
use lp_base::words::Digest;
use lp_component::component::Component;
use lp_program::program::{Linked, Problems};
use lp_run::supervise::{Rebuild, Rebuilt};
use lp_run::worker::{Worker, WorkerError};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};

use super::copies::Copies;
use super::files::Stopped;
use super::inputs::Inputs;
use super::observe::{Event, Obstacle};
use super::{Replacing, Watch};
use crate::error::{BuildError, Cause};
use crate::nodes::{Compile, build};
use crate::shell::Shell;

/// How often it is looked at whether a compilation has ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A file that changes during so many builds in a row is written by them. Nobody saves a file as often while they wait.
const WRITTEN_TIMES: u32 = 4;

/// A watch of a program that runs.
pub struct Rebuilding<'a> {
    watch: Watch,
    replacing: Replacing<'a>,
    copies: Copies,
    /// What runs, or will in a moment.
    running: Rebuilt,
    stopped: watch::Receiver<bool>,
    /// Files that builds write among the source.
    written: BTreeSet<PathBuf>,
    /// The components that can't be run, by their nodes. They are tried again when the node is built again.
    refused: BTreeMap<String, Digest>,
}

impl<'a> Rebuilding<'a> {
    pub(super) fn new(
        watch: Watch,
        replacing: Replacing<'a>,
        copies: Copies,
        running: Rebuilt,
        stopped: watch::Receiver<bool>,
    ) -> Rebuilding<'a> {
        Rebuilding { watch, replacing, copies, running, stopped, written: BTreeSet::new(), refused: BTreeMap::new() }
    }

    /// Builds and replaces what changes, until it is stopped.
    pub fn run(mut self) {
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
        // What comes later is written by the builds themselves.
        self.forgive(&changed);
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
                self.tell(Event::Unwatched { file: self.watch.inputs.shown(path) });
                self.written.insert(path.clone());
            }
        }
    }

    /// Takes note of other inputs, where a file changed that names them.
    fn look_again(&mut self, changed: &BTreeSet<PathBuf>) -> Result<(), Stopped> {
        let Rebuilding { watch, replacing, .. } = self;
        if changed.contains(&watch.inputs.program_file) {
            self.tell(Event::ProgramChanged { file: self.watch.inputs.shown(&self.watch.inputs.program_file) });
            return Ok(());
        }
        if !changed.iter().any(|path| watch.inputs.depend_on(path)) {
            return Ok(());
        }
        let observer = &*replacing.observer;
        let Ok(shell) = Shell::new(&watch.program.dir, &watch.environment, observer) else { return Ok(()) };
        shell.stop_with(self.stopped.clone());
        // The build says why a file can't be read now.
        let Ok(inputs) = Inputs::new(&watch.program, &watch.program_file, watch.log_dir.as_deref(), &shell) else {
            return Ok(());
        };
        drop(shell);
        watch.inputs = inputs;
        if let Err(error) = watch.look() {
            observer.event(Event::NotWatched(error));
        }
        Ok(())
    }

    /// Builds, one after the other, and returns the nodes of the builds that went well.
    fn build(&mut self, builds: &BTreeSet<usize>) -> Result<Vec<String>, Stopped> {
        let mut built = Vec::new();
        for &place in builds {
            let nodes = self.watch.inputs.nodes(place).to_vec();
            match self.build_nodes(&nodes) {
                Ok(()) => built.extend(nodes),
                Err(error) if matches!(error.cause(), Cause::Stopped(_)) => return Err(Stopped),
                Err(error) => {
                    self.tell(Event::Failed(error));
                    self.keep(&nodes, Obstacle::Build);
                }
            }
        }
        Ok(built)
    }

    fn build_nodes(&self, nodes: &[String]) -> Result<(), BuildError> {
        let Watch { program, environment, .. } = &self.watch;
        let shell = Shell::new(&program.dir, environment, &*self.replacing.observer).map_err(BuildError::Setup)?;
        shell.stop_with(self.stopped.clone());
        build(&shell, program, nodes, Compile::No)
    }

    /// Says of nodes that they run on as they are.
    fn keep<'n>(&self, nodes: impl IntoIterator<Item = &'n String>, obstacle: Obstacle) {
        for node in nodes {
            self.tell(Event::Kept { node, obstacle });
        }
    }

    /// Hands over a plan with the components that are others than those that run.
    fn replace(&mut self, changed: &BTreeSet<PathBuf>, built: &[String]) -> Result<(), Stopped> {
        let touched = changed.iter().flat_map(|path| self.watch.inputs.runs(path));
        let concerned: BTreeSet<_> = built.iter().chain(touched).cloned().collect();
        let others = self.others();
        for node in built.iter().filter(|node| !others.contains_key(*node)) {
            self.tell(Event::Unchanged { node });
        }
        let others = others.into_iter().filter(|(node, found)| self.refused.get(node) != Some(found));
        let others: BTreeSet<_> = others.map(|(node, _)| node).collect();
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
                self.tell(Event::Failed(problems.into()));
                self.keep(&nodes, Obstacle::Fit);
                Ok(())
            }
        }
    }

    /// Has the nodes that these changes concern tried again.
    fn forgive(&mut self, changed: &BTreeSet<PathBuf>) {
        let inputs = &self.watch.inputs;
        let built = changed.iter().flat_map(|path| inputs.builds_of(path)).flat_map(|place| inputs.nodes(place));
        let touched = changed.iter().flat_map(|path| inputs.runs(path));
        let concerned: BTreeSet<_> = built.chain(touched).collect();
        self.refused.retain(|node, _| !concerned.contains(node));
    }

    /// Takes note that the components of these nodes can't be run.
    fn refuse(&mut self, plan: &Plan, nodes: &BTreeSet<String>, error: WorkerError) {
        self.tell(Event::NotCompiled(error));
        self.keep(nodes, Obstacle::Compile);
        let refused = plan.nodes.iter().filter(|node| nodes.contains(&node.name));
        self.refused.extend(refused.filter_map(|node| Some((node.name.clone(), node.sha256()?))));
    }

    /// The nodes whose components are others than those that run, and these components.
    fn others(&self) -> BTreeMap<String, Digest> {
        let nodes = self.watch.program.nodes.iter().zip(&self.running.plan.nodes);
        let others = nodes.filter_map(|(node, running)| {
            // A file that is not there is about to be replaced.
            let found = Digest::of(&Component::read_bytes(&node.component).ok()?);
            (found != running.component()?.sha256).then(|| (node.name.clone(), found))
        });
        others.collect()
    }

    /// Links the program with the components of `nodes` as they are now, and with those of the others that run.
    fn link(&self, nodes: &BTreeSet<String>) -> Result<Linked, Problems> {
        let mut program = self.watch.program.clone();
        for (node, running) in program.nodes.iter_mut().zip(&self.running.plan.nodes) {
            let running = running.component().filter(|_| !nodes.contains(&node.name));
            if let Some(copy) = running.and_then(|running| self.running.components.of(running.sha256).ok()) {
                node.component = copy.to_owned();
            }
        }
        program.link()
    }

    fn hand_over(&mut self, linked: &Linked, nodes: &BTreeSet<String>) -> Result<(), Stopped> {
        let (lowered, files) = lp_program::lower(linked, self.replacing.launch_type);
        let plan = Plan { watched: true, ..lowered };
        let components = match self.copies.take(&plan, &files) {
            Ok(copies) => copies,
            Err(error) => {
                self.tell(Event::NotCopied(error));
                self.keep(nodes, Obstacle::Copy);
                return Ok(());
            }
        };
        let rebuilt = Rebuilt { plan, components };
        if let Err(error) = self.compile(&rebuilt, nodes)? {
            self.refuse(&rebuilt.plan, nodes, error);
            return Ok(());
        }
        let (taken, outcome) = oneshot::channel();
        let rebuild = Rebuild { rebuilt: rebuilt.clone(), taken };
        self.replacing.rebuilds.blocking_send(rebuild).map_err(|_| Stopped)?;
        // Other machines compile it, and may refuse it.
        if self.replacing.launch_type == LaunchType::Remote
            && let Err(error) = self.wait(outcome)?
        {
            self.refuse(&rebuilt.plan, nodes, error);
            return Ok(());
        }
        self.running = rebuilt;
        Ok(())
    }

    /// Waits until it is known whether the machines of the program can run what was rebuilt.
    fn wait(
        &self,
        mut outcome: oneshot::Receiver<Result<(), WorkerError>>,
    ) -> Result<Result<(), WorkerError>, Stopped> {
        loop {
            match outcome.try_recv() {
                Ok(outcome) => return Ok(outcome),
                // The run is over, or will be.
                Err(TryRecvError::Closed) => return Err(Stopped),
                Err(TryRecvError::Empty) if *self.stopped.borrow() => return Err(Stopped),
                Err(TryRecvError::Empty) => std::thread::sleep(LOOK_INTERVAL),
            }
        }
    }

    /// Fills the cache, so that nodes don't stand still while they are compiled.
    fn compile(&self, rebuilt: &Rebuilt, nodes: &BTreeSet<String>) -> Result<Result<(), WorkerError>, Stopped> {
        let Some(cache) = self.replacing.cache.clone() else { return Ok(Ok(())) };
        let ids = (0..).map(NodeId).zip(&rebuilt.plan.nodes).filter(|(_, node)| nodes.contains(&node.name));
        let (ids, Rebuilt { plan, components }) = (ids.map(|(id, _)| id).collect(), rebuilt.clone());
        // On a thread that is left behind when the program ends, because a compilation can't be stopped.
        let (told, _) = mpsc::unbounded_channel();
        let compiling = std::thread::spawn(move || {
            Worker::compile_nodes(&plan, &components, &ids, cache, &told, &Scheduler::default())
        });
        while !compiling.is_finished() {
            if *self.stopped.borrow() {
                return Err(Stopped);
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        Ok(compiling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }

    fn tell(&self, event: Event<'_>) {
        self.replacing.observer.event(event);
    }
}
