//! Launch type `processes`: a process for every worker, on this machine.
//!
//! The sockets through which workers reach each other are bound here and given to each process, so that a worker that is
//! started again listens where the one before did, and a call that comes meanwhile waits.

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;

use command_fds::{CommandFdExt, FdMapping};
use lp_base::plan::{ComponentFiles, NodeId, Plan};
use lp_courier::grpc::Address;
use tokio::process::{ChildStdin, ChildStdout};

use super::WorkerFiles;
use super::fleet::{Life, Place, Start, Started};

/// What it takes to start worker processes.
#[derive(Debug, Clone)]
pub struct ProcessSetting {
    /// The program to start, with the arguments that make it a worker; `--plan FILE --index N` is added.
    pub command: (PathBuf, Vec<OsString>),
    /// An empty directory that only this user can enter, for the plan and the sockets. Its path must be short.
    pub dir: PathBuf,
}

impl ProcessSetting {
    pub(super) fn files(&self) -> WorkerFiles {
        WorkerFiles { dir: self.dir.clone() }
    }
}

/// Starts worker processes. A process dies with the thread that started it.
pub(super) struct Processes {
    plan: Arc<Plan>,
    setting: ProcessSetting,
    sockets: Vec<UnixListener>,
    nodes: Vec<(NodeId, TcpListener)>,
}

impl Processes {
    /// Writes the plan and binds the sockets of its workers. `nodes` are the sockets of nodes that listen.
    pub fn new(
        plan: Arc<Plan>,
        components: &ComponentFiles,
        setting: ProcessSetting,
        nodes: Vec<(NodeId, TcpListener)>,
    ) -> io::Result<Self> {
        let sockets = setting.files().create(&plan, components)?;
        Ok(Self { plan, setting, sockets, nodes })
    }

    fn command(&self, index: usize) -> io::Result<std::process::Command> {
        let (program, arguments) = &self.setting.command;
        let mut command = std::process::Command::new(program);
        command.args(arguments).arg("--plan").arg(self.setting.files().plan()).arg("--index").arg(index.to_string());
        // Signals from a terminal are the launcher's to answer.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).env_clear();
        let mut sockets: Vec<OwnedFd> = vec![self.sockets[index].try_clone()?.into()];
        for wanted in WorkerFiles::listening(&self.plan, index) {
            let found = self.nodes.iter().find(|(node, _)| *node == wanted);
            let (_, listener) = found.expect("every node that listens was bound");
            sockets.push(listener.try_clone()?.into());
        }
        command.env("LISTEN_FDS", sockets.len().to_string());
        let mappings = (3..).zip(sockets).map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.collect()).map_err(io::Error::other)?;
        Ok(command)
    }
}

impl Start for Processes {
    fn start(&self, index: usize) -> io::Result<Started> {
        let mut child = self.command(index)?.spawn()?;
        let (stdin, stdout) = child.stdin.take().zip(child.stdout.take()).expect("both were asked for");
        let life = Box::new(Process(child));
        let (commands, reports) = (ChildStdin::from_std(stdin)?, ChildStdout::from_std(stdout)?);
        Ok(Started { commands: Box::new(commands), reports: Box::new(reports), life })
    }

    fn address(&self, index: usize) -> Option<Address> {
        Some(Address::Unix(self.setting.files().socket(index)))
    }
}

/// A worker process. It is killed when this is dropped.
struct Process(Child);

impl Life for Process {
    fn place(&self) -> Place {
        Place::Process(self.0.id())
    }

    fn kill(&mut self) {
        // It fails for a process that has ended.
        let _ = self.0.kill();
    }

    fn ended(&mut self) -> Option<String> {
        match self.0.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(end_of(status)),
            Err(_) => Some("its worker process is gone".to_owned()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How a process ended, as users read it.
fn end_of(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("its worker process exited with status {code}"),
        (_, Some(signal)) => format!("its worker process was killed by signal {signal}"),
        _ => "its worker process is gone".to_owned(),
    }
}
