//! Fills the compile cache, so that the first run of a program starts at once.

use lp_base::plan::LaunchType;
use lp_base::scheduler::Scheduler;
use lp_program::program::{Linked, Node, Program};
use lp_run::worker::Worker;
use lp_runtime::CompileCache;
use tokio::sync::mpsc;

use crate::error::BuildError;
use crate::observe::{Note, Work};
use crate::shell::Shell;

/// Compiles the components of these nodes, as far as the cache does not have them.
pub(crate) fn fill_cache(program: &Program, nodes: &[&Node], shell: &Shell<'_>) -> Result<(), BuildError> {
    let mut program = program.clone();
    program.nodes = nodes.iter().copied().cloned().collect();
    // They need not fit together, nor do the others have to be built yet.
    let (plan, files) = lp_program::lower(&Linked::unbound(program)?, LaunchType::Threads);
    let Some(cache) = open_cache(shell) else { return Ok(()) };
    let (tx, mut rx) = mpsc::unbounded_channel();
    let work = move || Worker::compile(&plan, &files, cache, &tx, &Scheduler::default());
    let compiled = shell.work(work, &Work::Compile, || {
        while let Ok(event) = rx.try_recv() {
            shell.observer().compiling(&event);
        }
    })?;
    compiled.map_err(BuildError::Compile)
}

fn open_cache(shell: &Shell<'_>) -> Option<CompileCache> {
    match CompileCache::open(shell.environment().cache_dir.as_deref()?, &Scheduler::default()) {
        Ok(cache) => Some(cache.bounded(shell.environment().cache_bytes_max)),
        Err(error) => {
            shell.observer().note(Note::NoCache(error));
            None
        }
    }
}
