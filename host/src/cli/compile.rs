//! The compile cache: where it is, how `lp-host build` fills it, and what is shown while a component is compiled.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use lp_base::plan::LaunchType;
use lp_program::program::{Linked, Node, Program};
use lp_run::worker::{Compiling, Worker};
use lp_runtime::CompileCache;
use tokio::sync::mpsc;

use super::build::shell::Shell;
use super::screen::{Failure, Screen, Task, exit_code};

/// The smallest component whose compilation is shown on a terminal: one of this size takes up to a second.
const SHOWN_BYTES_MIN: u64 = 1 << 20;

/// The smallest component of whose compilation a note is left: these take many seconds.
const NOTED_BYTES_MIN: u64 = 8 << 20;

/// What is shown of the components that are compiled, one after the other.
#[derive(Default)]
pub(super) struct Compilation {
    task: Option<Task>,
    is_noted: bool,
}

impl Compilation {
    /// Shows what has happened, and returns what was said of it.
    pub(super) fn on(&mut self, event: &Compiling, screen: &Screen) -> Option<String> {
        match event {
            Compiling::Begun { component, bytes_len } => {
                let size = *bytes_len as f64 / f64::from(1 << 20);
                let text = format!("compiling {} for this machine ({size:.1} MiB)", name(component));
                self.is_noted = *bytes_len >= NOTED_BYTES_MIN;
                if self.is_noted {
                    self.task = Some(screen.task(&text));
                    return Some(text);
                }
                self.task = (*bytes_len >= SHOWN_BYTES_MIN).then(|| screen.brief_task(&text));
                None
            }
            Compiling::Ended { component, elapsed } => {
                self.task = None;
                let text = format!("compiled {} in {:.1} s", name(component), elapsed.as_secs_f64());
                self.is_noted.then(|| {
                    screen.note(&text);
                    text
                })
            }
        }
    }
}

fn name(component: &Path) -> String {
    format!("`{}`", component.file_name().unwrap_or(OsStr::new("the component")).display())
}

/// Compiles the components of these nodes, as far as the cache does not have them.
pub(super) fn fill_cache(
    program: &Program,
    nodes: &[&Node],
    shell: &Shell<'_>,
    screen: &Screen,
) -> Result<(), Failure> {
    let mut program = program.clone();
    program.nodes = nodes.iter().copied().cloned().collect();
    // They need not fit together, nor do the others have to be built yet.
    let plan = lp_program::lower(&Linked::unbound(program)?, LaunchType::Threads);
    let Some(cache) = cache_dir().and_then(|dir| open_cache(&dir, screen)) else { return Ok(()) };
    let (tx, mut rx) = mpsc::unbounded_channel();
    let mut compilation = Compilation::default();
    let work = move || Worker::compile(&plan, cache, &tx);
    let compiled = shell.work(work, "the compilation", || {
        while let Ok(event) = rx.try_recv() {
            compilation.on(&event, screen);
        }
    })?;
    compiled.map_err(|error| Failure::new(exit_code::WRONG_PROGRAM, error))
}

/// Where compiled components are kept: `$LP_HOST_CACHE`, or `lp-host` in the user's cache directory.
pub(super) fn cache_dir() -> Option<PathBuf> {
    let dir = |name, below: &str| {
        std::env::var_os(name).filter(|dir| !dir.is_empty()).map(|dir| PathBuf::from(dir).join(below))
    };
    dir("LP_HOST_CACHE", "")
        .or_else(|| dir("XDG_CACHE_HOME", "lp-host/compiled"))
        .or_else(|| dir("HOME", ".cache/lp-host/compiled"))
}

/// The compile cache in `dir`. Without one, components are compiled every time.
pub(super) fn open_cache(dir: &Path, screen: &Screen) -> Option<CompileCache> {
    match CompileCache::open(dir) {
        Ok(cache) => Some(cache),
        Err(error) => {
            screen.warning(&format!("components are compiled anew at every start: {error}"));
            None
        }
    }
}
