//! The signals that ask this process to stop, as a stream.

use lp_run::supervise::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Those that stop a program.
const ALL: [Signal; 3] = [Signal::Interrupt, Signal::Terminate, Signal::Hangup];

/// A stream of the signals that stop a program or a build. Must be called on a tokio runtime.
pub(super) fn signals() -> std::io::Result<mpsc::UnboundedReceiver<Signal>> {
    let (tx, rx) = mpsc::unbounded_channel();
    forward_signals(&tx, &ALL)?;
    Ok(rx)
}

/// The signals that stop a run, from its launch until the terminal has all of its output.
pub(super) struct Signals {
    sender: mpsc::UnboundedSender<Signal>,
    of_run: Option<mpsc::UnboundedReceiver<Signal>>,
    later: mpsc::UnboundedReceiver<Signal>,
}

impl Signals {
    /// Takes the signals of this process. Must be called on a tokio runtime.
    pub(super) fn forward() -> std::io::Result<Self> {
        Self::forward_some(&ALL)
    }

    /// The same for a process without a terminal: SIGHUP, which tells of a terminal that was closed, is ignored.
    pub(super) fn forward_detached() -> std::io::Result<Self> {
        // The handler stays when the stream is dropped.
        drop(signal(SignalKind::hangup())?);
        Self::forward_some(&[Signal::Interrupt, Signal::Terminate])
    }

    fn forward_some(which: &[Signal]) -> std::io::Result<Self> {
        let (sender, mut all) = mpsc::unbounded_channel();
        forward_signals(&sender, which)?;
        let (to_run, of_run) = mpsc::unbounded_channel();
        let (to_later, later) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(signal) = all.recv().await {
                // A run that has ended takes no more.
                if to_run.send(signal).is_err() && to_later.send(signal).is_err() {
                    return;
                }
            }
        });
        Ok(Self { sender, of_run: Some(of_run), later })
    }

    /// Sends what others ask for, as signals.
    pub(super) fn sender(&self) -> mpsc::UnboundedSender<Signal> {
        self.sender.clone()
    }

    /// Those for the program.
    ///
    /// # Panics
    ///
    /// When it is called again.
    pub(super) fn of_run(&mut self) -> mpsc::UnboundedReceiver<Signal> {
        self.of_run.take().expect("a run takes its signals once")
    }

    /// The next one that comes when the program has ended.
    pub(super) async fn after_run(&mut self) -> Signal {
        match self.later.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}

/// Sends the signals that stop a program to `tx`, to which others may send them too. Must be called on a tokio runtime.
///
/// A signal that this process was started to ignore, as `nohup` has it ignore SIGHUP, stays ignored.
fn forward_signals(tx: &mpsc::UnboundedSender<Signal>, which: &[Signal]) -> std::io::Result<()> {
    let ignored = ignored_signals();
    for &of in which {
        if ignored >> (of.number() - 1) & 1 == 1 {
            continue;
        }
        let mut signals = signal(SignalKind::from_raw(of.number().into()))?;
        let tx = tx.clone();
        tokio::spawn(async move { while signals.recv().await.is_some() && tx.send(of).is_ok() {} });
    }
    Ok(())
}

/// The signals that this process ignores, a bit for each; none where the kernel does not say.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
