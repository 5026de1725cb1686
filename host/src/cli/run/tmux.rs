//! A tmux session with a window for each node of a run, which shows the node's output.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use lp_run::launch::RunId;

/// What decides where the runs are. A tmux that is up already has an environment of its own.
const ENVIRONMENT: [&str; 2] = ["XDG_RUNTIME_DIR", "TMPDIR"];

/// Why there are no windows.
#[derive(Debug, thiserror::Error)]
pub(super) enum TmuxError {
    /// There is no tmux.
    #[error("failed to run `tmux`")]
    Missing(#[source] io::Error),
    /// It does not do what it should.
    #[error("tmux refused to {action}: {message}")]
    Refused { action: &'static str, message: String },
}

/// The session of a run. Dropping it ends the session, but one that somebody looks at stays until they leave it.
pub(super) struct Session {
    name: String,
    nodes: Vec<String>,
}

/// Fails if there is no tmux.
pub(super) fn check() -> Result<(), TmuxError> {
    tmux("tell its version", [OsString::from("-V")]).map(drop)
}

impl Session {
    /// Opens a window for each node, in a new session that nobody is attached to yet.
    pub(super) fn open(run: &RunId, nodes: impl Iterator<Item = String>) -> Result<Self, TmuxError> {
        let host = std::env::current_exe().map_err(TmuxError::Missing)?;
        let mut session = Self { name: format!("lp-host-{run}"), nodes: Vec::new() };
        for node in nodes {
            session.open_window(&host, run, node)?;
        }
        Ok(session)
    }

    fn open_window(&mut self, host: &PathBuf, run: &RunId, node: String) -> Result<(), TmuxError> {
        let window: Vec<String> = match self.nodes.is_empty() {
            true => ["new-session", "-d", "-s", &self.name, "-n", &node].map(str::to_owned).to_vec(),
            false => vec![
                "new-window".into(),
                "-d".into(),
                "-t".into(),
                format!("={}:", self.name),
                "-n".into(),
                node.clone(),
            ],
        };
        let mut arguments: Vec<OsString> = window.into_iter().map(OsString::from).collect();
        for name in ENVIRONMENT {
            let mut variable = OsString::from(format!("{name}="));
            variable.push(std::env::var_os(name).unwrap_or_default());
            arguments.extend(["-e".into(), variable]);
        }
        arguments.push(host.into());
        arguments.extend(["logs", run.as_str(), &node, "--follow"].map(OsString::from));
        self.nodes.push(node);
        tmux("open a window", arguments).map(drop)
    }

    /// What the user types to see the windows.
    pub(super) fn attach_command(&self) -> String {
        format!("tmux attach -t {}", self.name)
    }

    fn is_looked_at(&self) -> Result<bool, TmuxError> {
        let target = format!("={}:", self.name);
        let attached = tmux("count its clients", ["display-message", "-p", "-t", &target, "#{session_attached}"])?;
        Ok(attached.trim() != "0")
    }

    /// Keeps the windows as they are when their commands end, and the session until its last client leaves.
    fn keep(&self) -> Result<(), TmuxError> {
        for node in &self.nodes {
            let target = format!("={}:={node}", self.name);
            tmux("keep a window", ["set-option", "-w", "-t", &target, "remain-on-exit", "on"])?;
        }
        let target = format!("={}:", self.name);
        tmux("keep the session", ["set-option", "-t", &target, "destroy-unattached", "on"]).map(drop)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A session that its user has ended needs nothing more.
        let _ = match self.is_looked_at() {
            Ok(true) => self.keep(),
            Ok(false) => tmux("end the session", ["kill-session", "-t", &format!("={}", self.name)]).map(drop),
            Err(error) => Err(error),
        };
    }
}

fn tmux<A: Into<OsString>>(action: &'static str, arguments: impl IntoIterator<Item = A>) -> Result<String, TmuxError> {
    let arguments = arguments.into_iter().map(A::into);
    let output = Command::new("tmux").args(arguments).output().map_err(TmuxError::Missing)?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(TmuxError::Refused { action, message })
        }
    }
}
