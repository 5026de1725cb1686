//! An agent that is started by the system's `ssh`, for as long as its launcher needs it, and spoken with through its standard streams.
//!
//! How the host is reached, and as whom, is for ssh's own configuration to say. Nobody else can reach such an agent, so it has
//! no key.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use lp_base::replica::Stop;
use lp_base::scheduler::Scheduler;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::protocol::PROTOCOL;

/// How much of what ssh says is kept: the end of it has the reason.
const SAID_BYTES_MAX: usize = 2048;

/// The standard streams of a process.
pub struct Streams {
    reader: ChildStdout,
    writer: ChildStdin,
    // It ends with its stdin, as the agent at the other end does, which tidies up before. Killing it would not let it.
    _child: Child,
}

/// The last that a process wrote to its stderr.
#[derive(Clone, Default)]
pub struct Said {
    last: Arc<Mutex<Vec<u8>>>,
    is_all: Stop,
}

impl Said {
    /// It as text, with its lines in one.
    pub fn text(&self) -> String {
        let said = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&said).into_owned();
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
    }

    /// Waits until it has said everything, which it has when it ends.
    pub async fn all(&self) {
        self.is_all.requested().await;
    }

    async fn listen(self, mut stderr: ChildStderr) {
        let mut buffer = [0; 512];
        while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
            let mut said = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            said.extend_from_slice(&buffer[..read]);
            let beyond = said.len().saturating_sub(SAID_BYTES_MAX);
            said.drain(..beyond);
        }
        self.is_all.request();
    }
}

/// Starts an agent at `destination`.
///
/// # Errors
/// If ssh can't be started, or the copy fails.
pub async fn start(destination: &str, command: &str, copy: bool, scheduler: &Scheduler) -> io::Result<(Streams, Said)> {
    let agent = match copy && !has_protocol(destination, command).await {
        true => {
            let dir = upload(destination).await?;
            format!("{dir}/lp-host agent --stdio --remove {dir}")
        }
        false => format!("{command} agent --stdio"),
    };
    let mut ssh = ssh(destination, &agent);
    let mut child = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (Some(writer), Some(reader), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("ssh has no standard streams"));
    };
    let said = Said::default();
    scheduler.spawn(said.clone().listen(stderr)).detach();
    Ok((Streams { reader, writer, _child: child }, said))
}

fn ssh(destination: &str, command: &str) -> Command {
    let mut ssh = Command::new("ssh");
    // In a group of its own: Ctrl-C is the launcher's to answer.
    ssh.args(["-T", "--", destination, command]).process_group(0);
    ssh
}

/// Whether an lp-host of this version is there.
async fn has_protocol(destination: &str, command: &str) -> bool {
    let mut asked = ssh(destination, &format!("{command} agent --print-protocol"));
    let answer = asked.kill_on_drop(true).stdin(Stdio::null()).stderr(Stdio::null()).output().await;
    answer.is_ok_and(|answer| answer.status.success() && answer.stdout.trim_ascii() == PROTOCOL.as_bytes())
}

/// Copies this very program to a new folder there, whose path it returns.
async fn upload(destination: &str) -> io::Result<String> {
    let script = "umask 077 && d=$(mktemp -d) && cat > \"$d/lp-host\" && chmod 700 \"$d/lp-host\" && echo \"$d\"";
    let program = std::fs::File::open("/proc/self/exe")?;
    let copied = ssh(destination, script).kill_on_drop(true).stdin(program).output().await?;
    let dir = String::from_utf8_lossy(&copied.stdout).trim().to_owned();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match copied.status.success() && dir.starts_with('/') && dir.chars().all(is_plain) {
        true => Ok(dir),
        false => {
            let said = String::from_utf8_lossy(&copied.stderr).trim().to_owned();
            Err(io::Error::other(format!("lp-host can't be copied to `{destination}`: {said}")))
        }
    }
}

impl AsyncRead for Streams {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Streams {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(cx)
    }
}
