//! Launch type `processes`: a process for every worker, on this machine.
//!
//! The sockets through which workers reach each other are bound here and given to each process, so that a worker that is
//! started again listens where the one before did, and a call that comes meanwhile waits.

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;

use command_fds::{CommandFdExt, FdMapping};
use lp_base::plan::{ComponentFiles, NodeId, Plan};
use lp_courier::grpc::Address;

use super::WorkerFiles;
use super::fleet::{Life, Place, Start, Started};

/// What it takes to start worker processes.
#[derive(Debug, Clone)]
pub struct ProcessOptions {
    /// The program to start, with the arguments that make it a worker; `--plan FILE --index N` is added, or
    /// `--plan FILE --compile` for one that only compiles.
    pub command: (PathBuf, Vec<OsString>),
    /// An empty directory that only this user can enter, for the plan and the sockets. Its path must be short.
    pub dir: PathBuf,
}

impl ProcessOptions {
    pub(super) fn files(&self) -> WorkerFiles {
        WorkerFiles { dir: self.dir.clone() }
    }

    /// Starts worker number `index` of the plan in the directory, with these open files from number 3 on. It speaks with its
    /// launcher through its standard streams, and ends with the thread that this is called on.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn start_worker(&self, index: usize, files: Vec<OwnedFd>) -> io::Result<Started> {
        // A socket and no pipe: other processes of this user could open that by its name in `/proc`, to read the credentials
        // of the worker or to report in its name.
        let (own, channel) = UnixStream::pair()?;
        own.set_nonblocking(true)?;
        let (reports, commands) = tokio::net::UnixStream::from_std(own)?.into_split();
        let (program, arguments) = &self.command;
        let mut command = std::process::Command::new(program);
        command.args(arguments).arg("--plan").arg(self.files().plan()).arg("--index").arg(index.to_string());
        // Signals from a terminal are the launcher's to answer.
        command.process_group(0).env_clear();
        command.stdin(OwnedFd::from(channel.try_clone()?)).stdout(OwnedFd::from(channel));
        command.env("LISTEN_FDS", files.len().to_string());
        let mappings = (3..).zip(files).map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.collect()).map_err(io::Error::other)?;
        let life = Box::new(Process(command.spawn()?));
        Ok(Started { commands: Box::new(commands), reports: Box::new(reports), life, located: None })
    }

    /// Starts a process that compiles the components of `plan`, and gives what it reports.
    pub(super) fn start_compiler(
        &self,
        plan: &Plan,
        components: &ComponentFiles,
    ) -> io::Result<(tokio::net::UnixStream, Process)> {
        self.files().write_plan(plan, components)?;
        let (own, channel) = UnixStream::pair()?;
        own.set_nonblocking(true)?;
        let (program, arguments) = &self.command;
        let mut command = std::process::Command::new(program);
        command.args(arguments).arg("--plan").arg(self.files().plan()).arg("--compile").process_group(0).env_clear();
        command.stdin(Stdio::null()).stdout(OwnedFd::from(channel));
        Ok((tokio::net::UnixStream::from_std(own)?, Process(command.spawn()?)))
    }
}

/// Starts worker processes. A process dies with the thread that started it.
pub(super) struct Processes {
    plan: Arc<Plan>,
    setting: ProcessOptions,
    sockets: Vec<UnixListener>,
    nodes: Vec<(NodeId, TcpListener)>,
}

impl Processes {
    /// Writes the plan and binds the sockets of its workers. `nodes` are the sockets of nodes that listen.
    pub fn new(
        plan: Arc<Plan>,
        components: &ComponentFiles,
        setting: ProcessOptions,
        nodes: Vec<(NodeId, TcpListener)>,
    ) -> io::Result<Self> {
        let sockets = setting.files().create(&plan, components)?;
        Ok(Self { plan, setting, sockets, nodes })
    }
}

impl Start for Processes {
    fn start(&self, index: usize) -> io::Result<Started> {
        let mut sockets: Vec<OwnedFd> = vec![self.sockets[index].try_clone()?.into()];
        for wanted in WorkerFiles::listening(&self.plan, index) {
            let found = self.nodes.iter().find(|(node, _)| *node == wanted);
            let (_, listener) = found.expect("every node that listens was bound");
            sockets.push(listener.try_clone()?.into());
        }
        self.setting.start_worker(index, sockets)
    }

    fn address(&self, index: usize) -> Option<Address> {
        Some(Address::Unix(self.setting.files().socket(index)))
    }
}

/// A worker process. It is killed when this is dropped.
pub(super) struct Process(Child);

impl Life for Process {
    fn place(&self) -> Option<Place> {
        Some(Place::here(self.0.id()))
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
