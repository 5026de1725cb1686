//! The first build of a watched program, which is tried again after each change until it goes well.

use std::path::Path;

use lp_program::program::Linked;
use tokio::sync::oneshot;

use super::super::super::ProgramArgs;
use super::super::not_launched;
use super::Watch;
use super::files::{Files, Message};
use crate::cli::build::{self, Compile};
use crate::cli::screen::{Failure, Screen, exit_code};
use crate::cli::signals::signals;

impl Watch {
    /// Builds and links a program, whose changes are watched from here on.
    pub(in crate::cli::run) fn build(
        args: &ProgramArgs,
        log_dir: Option<&Path>,
        screen: &Screen,
    ) -> Result<(Watch, Linked), Failure> {
        let mut program = args.load()?;
        let mut waited = true;
        loop {
            let mut watch = Watch::new(program.clone(), &args.program, log_dir, screen)?;
            let built = build::build(&program, &[], Compile::No, screen).and_then(|()| Ok(args.link()?));
            match built {
                Ok(linked) => return Ok((watch, linked)),
                Err(failure) if failure.code() != exit_code::WRONG_PROGRAM => return Err(failure),
                Err(failure) => screen.failure(&failure),
            }
            // What changed meanwhile may be the mend, but not twice in a row: then the build itself writes it.
            let changed = watch.files.so_far().is_ok_and(|changed| !changed.is_empty());
            waited = !(waited && changed);
            if waited {
                wait(&mut watch.files, screen)?;
            }
            program = loop {
                match args.load() {
                    Ok(program) => break program,
                    Err(problems) => screen.failure(&problems.into()),
                }
                wait(&mut watch.files, screen)?;
            };
        }
    }
}

/// Waits until a file changes. A signal ends that, and the program with it.
fn wait(files: &mut Files, screen: &Screen) -> Result<(), Failure> {
    screen.note("waiting for a change");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(not_launched)?;
    let mut signals = runtime.block_on(async { signals() }).map_err(not_launched)?;
    let (done, changed) = oneshot::channel::<()>();
    let stop = files.sender();
    let signal = std::thread::scope(|threads| {
        let signal = threads.spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    signal = signals.recv() => {
                        let _ = stop.send(Message::Stop);
                        signal
                    }
                    _ = changed => None,
                }
            })
        });
        // It ends by a change or by the signal, of which the thread tells.
        let _ = files.next();
        drop(done);
        signal.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    match signal {
        Some(signal) => Err(Failure::new(128 + signal.number(), format!("stopped by {signal} before it was built"))),
        None => Ok(()),
    }
}
