//! The `lp-host run --detach` that started this launcher: it shows what is said until the program is up, and waits for that.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lp_run::launch::RunId;
use rustix::process::{Signal, getpid, kill_process};

/// The way to it.
#[derive(Clone)]
pub(in crate::cli) struct Front {
    stream: Arc<UnixStream>,
    is_told: Arc<AtomicBool>,
}

impl Front {
    /// The one at the other end of stdin. If it goes away before it was told that the program is up, this process gets SIGTERM:
    /// nobody would know of the program.
    pub(in crate::cli) fn at_stdin() -> io::Result<Self> {
        let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        // Anything else but a socket has no other end.
        stream.peer_addr()?;
        let front = Self { stream: Arc::new(stream), is_told: Arc::default() };
        let watched = front.clone();
        thread::Builder::new().name("front".to_owned()).spawn(move || {
            // It says nothing, so this is its end.
            let _ = (&*watched.stream).read(&mut [0]);
            if !watched.is_told.load(Ordering::SeqCst) {
                let _ = kill_process(getpid(), Signal::TERM);
            }
        })?;
        Ok(front)
    }

    /// Tells it that the program is up, and what the run is called.
    pub(super) fn tell(&self, run: &RunId) {
        // If it has gone away in this moment, the run goes on, and `lp-host ps` lists it.
        self.is_told.store(true, Ordering::SeqCst);
        let _ = writeln!(&*self.stream, "{run}");
    }
}
