//! `lp-host guard`: removes what a run leaves that is killed. `lp-host run` starts it; users have no use for it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use lp_run::launch::RunId;
use tokio::signal::unix::{SignalKind, signal};

use super::runs;
use super::screen::{CliError, exit_code};

/// Waits until stdin is closed, then removes the directory of a run that has ended
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The id of the run
    run: String,
}

pub(super) fn run(args: &Args) -> Result<u8, CliError> {
    let failed = |error: io::Error| CliError::new(exit_code::WRONG_USAGE, error);
    let Some(id) = RunId::parse(&args.run) else {
        return Err(CliError::new(exit_code::WRONG_USAGE, format!("`{}` is not the id of a run", args.run)));
    };
    let registry = runs::registry()?;
    runs::block_on(async { ignore_signals() })?.map_err(failed)?;
    io::copy(&mut io::stdin(), &mut io::sink()).map_err(failed)?;
    registry.reap(&id).map_err(failed)?;
    Ok(0)
}

/// What ends the run must not end the one that cleans up behind it.
fn ignore_signals() -> io::Result<()> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        // The handler stays when the stream is dropped.
        drop(signal(kind)?);
    }
    Ok(())
}

/// The guardian of a run of this process: it sees the process end, even by SIGKILL, as the end of its stdin.
pub(super) struct Guardian(Child);

impl Guardian {
    /// Starts the guardian of a run, in a process group of its own, where the signals of a terminal don't reach it.
    pub(super) fn start(id: &RunId) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["guard", id.as_str()]).current_dir("/").process_group(0).env_clear();
        // It needs to find the run, and nothing else that this process was given, such as secrets of the program.
        command.envs(runs::VARIABLES.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        // Nothing is left to guard. That it has ended already would be no reason to complain either.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
