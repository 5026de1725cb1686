//! The signals that ask this process to stop, as a stream.

use lp_run::supervise::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// A stream of the signals that stop a program or a build. Must be called on a tokio runtime.
pub(super) fn signals() -> std::io::Result<mpsc::UnboundedReceiver<Signal>> {
    let (tx, rx) = mpsc::unbounded_channel();
    forward_signals(tx)?;
    Ok(rx)
}

/// Sends the signals that stop a program to `tx`, to which others may send them too. Must be called on a tokio runtime.
pub(super) fn forward_signals(tx: mpsc::UnboundedSender<Signal>) -> std::io::Result<()> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                Some(()) = interrupts.recv() => Signal::Interrupt,
                Some(()) = terminations.recv() => Signal::Terminate,
                else => return,
            };
            if tx.send(signal).is_err() {
                return;
            }
        }
    });
    Ok(())
}
