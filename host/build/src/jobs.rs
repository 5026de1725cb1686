//! What builds the nodes of a program: the jobs, and as many of them at once as the machine has cores.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use lp_program::program::{Node, Program};

use crate::error::BuildError;
use crate::observe::{Note, Work};
use crate::recipe::is_build_file;
use crate::shell::Shell;
use crate::source::Source;
use crate::{toolchain, tools};

/// A build line or a recipe, and the nodes that it builds.
pub(super) struct Job<'a> {
    line: &'a str,
    /// What the line names, if it is the path of a `build.toml`.
    source: Option<Source>,
    nodes: Vec<&'a Node>,
}

/// The jobs that build these nodes; those of several nodes with the same line are one.
pub(super) fn jobs<'a>(program: &Program, nodes: &[&'a Node], shell: &Shell<'_>) -> Result<Vec<Job<'a>>, BuildError> {
    let mut jobs: Vec<Job<'a>> = Vec::new();
    for node in nodes {
        let Some(line) = node.build.as_deref() else { continue };
        if let Some(job) = jobs.iter_mut().find(|job| job.line == line) {
            job.nodes.push(node);
            continue;
        }
        let source = match is_build_file(line) {
            true => Some(Source::read(program, line, shell)?),
            false => None,
        };
        jobs.push(Job { line, source, nodes: vec![node] });
    }
    Ok(jobs)
}

/// Runs the jobs. When one fails, the others are ended, and nothing is said of them.
pub(super) fn run(mut jobs: Vec<Job<'_>>, shell: &Shell<'_>) -> Result<(), BuildError> {
    let targets: BTreeSet<_> = jobs.iter().flat_map(Job::targets).collect();
    targets.iter().try_for_each(|target| tools::add_target(target, shell))?;
    // Before the jobs, which would wait for each other where they need the same.
    jobs.iter_mut().filter_map(|job| job.source.as_mut()).try_for_each(|source| source.install(shell))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let queues = queues(jobs);
    let threads = cores.min(queues.len());
    let queues = Mutex::new(queues.into_iter());
    let next = || lock(&queues).next();
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(queue) = next() {
                    if let Err(failed) = queue.into_iter().try_for_each(|job| job.run(shell)) {
                        lock(&failure).get_or_insert(failed);
                        shell.give_up();
                        return;
                    }
                }
            });
        }
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// The jobs by what may run at once. Those that run Cargo are one queue, the first, since most of the time they would wait
/// for each other's locks, and say so instead of what they do.
fn queues(jobs: Vec<Job<'_>>) -> Vec<Vec<Job<'_>>> {
    let (cargo, others): (Vec<_>, Vec<_>) = jobs.into_iter().partition(Job::runs_cargo);
    let cargo = Some(cargo).filter(|cargo| !cargo.is_empty());
    cargo.into_iter().chain(others.into_iter().map(|job| vec![job])).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Job<'_> {
    fn names(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.name.clone()).collect()
    }

    fn targets(&self) -> Vec<toolchain::Target> {
        self.source.as_ref().map_or_else(|| toolchain::targets(self.line), |source| source.recipe.targets())
    }

    fn runs_cargo(&self) -> bool {
        self.source.as_ref().map_or_else(|| toolchain::runs_cargo(self.line), |source| source.recipe.cargo)
    }

    fn run(mut self, shell: &Shell<'_>) -> Result<(), BuildError> {
        let nodes = self.names();
        if let Some(source) = &mut self.source {
            let components: BTreeSet<_> = self.nodes.iter().map(|node| &node.component).collect();
            return components.into_iter().try_for_each(|component| source.build(component, &nodes, shell));
        }
        let started = Instant::now();
        let work = Work::Build { nodes: nodes.clone(), by: self.line.to_owned() };
        let task = shell.observer().begun(&work);
        shell.run(self.line, &work, &*task)?;
        drop(task);
        shell.observer().note(Note::Built { nodes: &nodes, elapsed: started.elapsed() });
        Ok(())
    }
}
