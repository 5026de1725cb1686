//! The first build of a watched program, which is tried again after each change until it goes well.

use std::collections::BTreeSet;
use std::path::PathBuf;

use lp_program::program::{Linked, Program};
use lp_run::supervise::Signal;
use tokio::sync::oneshot;

use super::files::{Files, Message};
use super::observe::{Event, Observer};
use super::{Watch, WatchError, WatchOptions};
use crate::environment::Environment;
use crate::error::{BuildError, Cause};
use crate::nodes::{Compile, build};
use crate::shell::Shell;

impl Watch {
    /// Builds and links a program, whose changes are watched from here on. After a failure that is the fault of its
    /// source, it waits for a change and tries again.
    ///
    /// # Errors
    ///
    /// If the program file is wrong at first, its files can't be watched, it can't be built for another reason than its
    /// source, or a signal comes meanwhile.
    pub fn build(setting: &WatchOptions<'_>, observer: &dyn Observer) -> Result<(Watch, Linked), WatchError> {
        let mut program = setting.load().map_err(BuildError::from)?;
        let mut waited = true;
        loop {
            let mut watch = Watch::new(program.clone(), setting, observer)?;
            match build_once(&program, setting, observer) {
                Ok(linked) => return Ok((watch, linked)),
                Err(error) if error.cause() != Cause::Source => return Err(error.into()),
                Err(error) => observer.event(Event::Failed(error)),
            }
            // What changed meanwhile may be the mend, but not twice in a row: then the build itself writes it.
            let changed = watch.files.so_far().is_ok_and(|changed| !changed.is_empty());
            waited = !(waited && changed);
            if waited {
                wait(&mut watch.files, setting, observer)?;
            }
            program = loop {
                match setting.load() {
                    Ok(program) => break program,
                    Err(problems) => observer.event(Event::Failed(problems.into())),
                }
                wait(&mut watch.files, setting, observer)?;
            };
        }
    }
}

fn build_once(program: &Program, setting: &WatchOptions<'_>, observer: &dyn Observer) -> Result<Linked, BuildError> {
    let shell = Shell::new(&program.dir, setting.environment, observer).map_err(BuildError::Setup)?;
    build(&shell, program, &[], Compile::No)?;
    drop(shell);
    Ok(setting.link()?)
}

/// Waits until a file changes. A signal ends that, and the program with it.
fn wait(files: &mut Files, setting: &WatchOptions<'_>, observer: &dyn Observer) -> Result<(), WatchError> {
    observer.event(Event::Waiting);
    next_or_signal(files, setting.environment)?.map_or_else(|signal| Err(WatchError::Stopped(signal)), |_| Ok(()))
}

/// Waits until files change, or until a signal comes.
pub(super) fn next_or_signal(
    files: &mut Files,
    environment: &Environment,
) -> Result<Result<BTreeSet<PathBuf>, Signal>, WatchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = runtime.block_on(async { (environment.signals)() })?;
    let (done, changed) = oneshot::channel::<()>();
    let stop = files.sender();
    std::thread::scope(|threads| {
        let signal = threads.spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    Some(signal) = signals.recv() => {
                        let _ = stop.send(Message::Stop);
                        Some(signal)
                    }
                    _ = changed => None,
                }
            })
        });
        // A change ends it, or the signal that the thread reports.
        let changed = files.next();
        drop(done);
        let signal = signal.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(signal.map_or_else(|| Ok(changed.unwrap_or_default()), Err))
    })
}
