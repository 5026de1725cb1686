//! Builds what changes while a program runs, and hands the run plans with the new components.
//!
//! [`Watch::build`] builds a program until it can run, and watches it from there on. [`Watch::begin`] says what to run
//! then, and what rebuilds it on a thread of its own: [`Rebuilding::run`].

mod cargo;
mod copies;
mod files;
mod first;
mod inputs;
mod observe;
mod rebuilding;
mod sources;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use copies::Copies;
pub use files::{FileId, FilesError};
use files::{Files, Message};
use inputs::Inputs;
use lp_base::plan::{ComponentFiles, LaunchType, Plan};
use lp_program::program::{Linked, Override, Problems, Program};
use lp_run::launch::WorkerFiles;
use lp_run::supervise::{Rebuild, Rebuilt, Signal};
use lp_runtime::CompileCache;
pub use observe::{Event, Observer, Obstacle};
pub use rebuilding::Rebuilding;
pub use sources::{Changes, Sources, Subject};
use tokio::sync::{mpsc, watch};

use crate::environment::Environment;
use crate::error::BuildError;
use crate::shell::Shell;

/// A program to watch, and what surrounds it.
pub struct WatchOptions<'a> {
    /// The program file.
    pub file: &'a Path,
    /// What replaces values of that file.
    pub overrides: &'a [Override],
    /// How the program will be launched: what its nodes are granted on other machines is looked for there.
    pub launch_type: LaunchType,
    /// The file with the policy to which whoever runs the program holds it.
    pub policy: Option<&'a Path>,
    /// Where the run will write the output of its replicas, which are no changes.
    pub log_dir: Option<&'a Path>,
    /// Files that this process writes to, which are no changes either.
    pub own_files: Vec<FileId>,
    /// What the builds run in.
    pub environment: &'a Environment,
}

impl WatchOptions<'_> {
    fn load(&self) -> Result<Program, Problems> {
        match self.launch_type {
            LaunchType::Remote => Program::load_elsewhere(self.file, self.overrides, self.policy),
            LaunchType::Threads | LaunchType::Processes => Program::load_within(self.file, self.overrides, self.policy),
        }
    }

    fn link(&self) -> Result<Linked, Problems> {
        match self.launch_type {
            LaunchType::Remote => Linked::load_elsewhere(self.file, self.overrides, self.policy),
            LaunchType::Threads | LaunchType::Processes => Linked::load_within(self.file, self.overrides, self.policy),
        }
    }
}

/// Why a program can't be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// It can't be built, and no change of its source would help.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Its files can't be watched.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The system refused something else.
    #[error(transparent)]
    System(#[from] io::Error),
    /// A signal came before it was built.
    #[error("stopped by {0} before it was built")]
    Stopped(Signal),
}

/// The watched source of a program, from before its first build on.
pub struct Watch {
    program: Program,
    program_file: PathBuf,
    log_dir: Option<PathBuf>,
    environment: Environment,
    inputs: Inputs,
    files: Files,
}

/// What it takes to replace components of a program that runs.
pub struct Replacing<'a> {
    /// How the program was launched.
    pub launch_type: LaunchType,
    /// Where compiled components are kept, if anywhere and if they run on this machine.
    pub cache: Option<CompileCache>,
    /// Takes what to run from then on.
    pub rebuilds: mpsc::Sender<Rebuild>,
    /// Learns what is rebuilt, and what goes on as it was.
    pub observer: Box<dyn Observer + Send + 'a>,
}

/// Ends a watch when it is dropped, and the build that runs.
pub struct Stopper {
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
    /// Begins to watch what `program` is built from.
    fn new(program: Program, setting: &WatchOptions<'_>, observer: &dyn Observer) -> Result<Watch, WatchError> {
        let shell = Shell::new(&program.dir, setting.environment, observer)?;
        let inputs = Inputs::new(&program, setting.file, setting.log_dir, &shell)?;
        drop(shell);
        let mut watch = Watch {
            program,
            program_file: setting.file.to_owned(),
            log_dir: setting.log_dir.map(Path::to_owned),
            environment: setting.environment.clone(),
            inputs,
            files: Files::new(setting.own_files.clone())?,
        };
        watch.look()?;
        Ok(watch)
    }

    fn look(&mut self) -> Result<(), FilesError> {
        self.files.watch(self.inputs.folders(), self.inputs.files(), self.inputs.left_out.clone())
    }

    /// Puts copies of the components of `plan`, which are in `files`, into the directory of the run. Returns what to run:
    /// that plan with those copies; what to run on a thread of its own, and what ends that.
    ///
    /// # Errors
    ///
    /// If the components can't be copied, or are not those that the plan was made of any more.
    pub fn begin<'a>(
        self,
        plan: &Plan,
        files: &ComponentFiles,
        run_dir: &Path,
        replacing: Replacing<'a>,
    ) -> Result<(Rebuilt, Rebuilding<'a>, Stopper), WatchError> {
        let plan = Plan { watched: true, ..plan.clone() };
        let mut copies = Copies::create(WorkerFiles::of(run_dir).components())?;
        let components = copies.take(&plan, files)?;
        let running = Rebuilt { plan, components };
        let (sender, stopped) = watch::channel(false);
        let stopper = Stopper { stopped: sender, files: self.files.sender() };
        let rebuilding = Rebuilding::new(self, replacing, copies, running.clone(), stopped);
        Ok((running, rebuilding, stopper))
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
