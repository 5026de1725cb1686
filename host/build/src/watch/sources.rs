//! What programs are made of, watched for whoever does something anew after each change, such as their tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lp_program::program::Program;
use lp_run::supervise::Signal;

use super::files::{FileId, Files};
use super::first::next_or_signal;
use super::inputs::Inputs;
use super::{WatchError, real};
use crate::environment::Environment;
use crate::observe::Observer;
use crate::shell::Shell;

/// A program that is watched.
pub struct Subject<'a> {
    /// The program, which is built before it is run.
    pub program: &'a Program,
    /// Its file.
    pub file: &'a Path,
    /// A file that matters beside it, such as that of its tests.
    pub beside: &'a Path,
}

/// The sources of programs.
pub struct Sources {
    subjects: Vec<Known>,
    files: Files,
}

struct Known {
    inputs: Inputs,
    beside: PathBuf,
    /// The components that builds make, which change with each.
    built: BTreeSet<PathBuf>,
}

/// What has changed.
pub struct Changes {
    /// The places of the programs that a change concerns.
    pub subjects: BTreeSet<usize>,
    /// Whether what is watched may be another now.
    pub is_structural: bool,
}

impl Sources {
    /// Watches programs from here on. This process writes to its `own_files`, which are no changes.
    ///
    /// # Errors
    /// If their files can't be watched.
    pub fn new(
        subjects: &[Subject<'_>],
        own_files: Vec<FileId>,
        environment: &Environment,
        observer: &dyn Observer,
    ) -> Result<Self, WatchError> {
        let mut files = Files::new(own_files)?;
        let mut known = Vec::new();
        for Subject { program, file, beside } in subjects {
            let shell = Shell::new(&program.dir, environment, observer)?;
            let inputs = Inputs::new(program, file, None, &shell)?;
            drop(shell);
            let built = program.nodes.iter().filter(|node| node.build.is_some()).map(|node| real(&node.component));
            known.push(Known { inputs, beside: real(beside), built: built.collect() });
        }
        let folders = known.iter().flat_map(|known| known.inputs.folders()).collect();
        let texts = known.iter().flat_map(|known| known.inputs.files().into_iter().chain([known.beside.clone()]));
        let left_out = known.iter().flat_map(|known| known.inputs.left_out.clone()).collect();
        files.watch(folders, texts.collect(), left_out)?;
        Ok(Self { subjects: known, files })
    }

    /// Waits until something changes that concerns a program, or until a signal comes.
    ///
    /// # Errors
    /// If signals can't be received.
    pub fn next(&mut self, environment: &Environment) -> Result<Result<Changes, Signal>, WatchError> {
        loop {
            let changed = match next_or_signal(&mut self.files, environment)? {
                Ok(changed) => changed,
                Err(signal) => return Ok(Err(signal)),
            };
            let concerned = self.subjects.iter().enumerate().filter(|(_, known)| known.concerns(&changed));
            let subjects: BTreeSet<_> = concerned.map(|(place, _)| place).collect();
            if !subjects.is_empty() {
                let is_structural = self.subjects.iter().any(|known| changed.iter().any(|path| known.depends_on(path)));
                return Ok(Ok(Changes { subjects, is_structural }));
            }
        }
    }
}

impl Known {
    fn concerns(&self, changed: &BTreeSet<PathBuf>) -> bool {
        changed.iter().filter(|path| !self.built.contains(*path)).any(|path| {
            self.depends_on(path) || !self.inputs.runs(path).is_empty() || !self.inputs.builds_of(path).is_empty()
        })
    }

    fn depends_on(&self, path: &Path) -> bool {
        path == self.beside || path == self.inputs.program_file || self.inputs.depend_on(path)
    }
}
