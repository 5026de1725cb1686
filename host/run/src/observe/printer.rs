//! The thread that writes to the terminal: whatever stands still there, such as a pager, holds up nothing but output.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lp_base::replica::OutputRoom;
use lp_base::scheduler::Scheduler;
use tokio::sync::watch;

/// When so much waits to be written, guests wait before they write more.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// When no more than this waits, guests may write again.
const RESUME_BYTES: usize = WAITING_BYTES_MAX / 2;
/// What waits at most. Guests that do not wait where they should lose the lines beyond it.
const KEPT_BYTES_MAX: usize = 16 * WAITING_BYTES_MAX;
/// What a piece of output takes beside its text.
const PIECE_OVERHEAD_BYTES: usize = 64;

/// Which of this process's streams output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardStream {
    /// Its stdout.
    Stdout,
    /// Its stderr.
    Stderr,
}

/// The way to the thread. It ends with the last clone of this, once it has written everything.
#[derive(Clone)]
pub struct Printer(Arc<Handle>);

struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.arrived.notify_one();
    }
}

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    room: OutputRoom,
    /// How many pieces were written.
    written: watch::Sender<u64>,
    /// A line that says how many were lost, and for which stream.
    lost_line: LostLine,
}

/// Makes a line, with its end, that tells how many lines were lost.
type LostLine = fn(u64) -> (StandardStream, String);

#[derive(Default)]
struct State {
    waiting: VecDeque<Piece>,
    bytes: usize,
    /// How many pieces were taken, written or not.
    taken: u64,
    /// The lines that were lost since the last one that was not.
    lost: u64,
    ended: bool,
}

enum Piece {
    Text(StandardStream, String),
    Task(Box<dyn FnOnce() + Send>),
}

impl Piece {
    fn bytes(&self) -> usize {
        let text = match self {
            Self::Text(_, text) => text.len(),
            Self::Task(_) => 0,
        };
        PIECE_OVERHEAD_BYTES + text
    }
}

impl Printer {
    /// Starts the thread, which writes to these streams.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start(
        mut stdout: Box<dyn Write + Send>,
        mut stderr: Box<dyn Write + Send>,
        lost_line: LostLine,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            arrived: Condvar::new(),
            room: OutputRoom::default(),
            written: watch::Sender::new(0),
            lost_line,
        });
        let printing = shared.clone();
        Scheduler::default().thread("printer", move || {
            while let Some(piece) = printing.next() {
                let bytes = piece.bytes();
                match piece {
                    // A reader that went away must not stop the program.
                    Piece::Text(StandardStream::Stdout, text) => drop(stdout.write_all(text.as_bytes())),
                    Piece::Text(StandardStream::Stderr, text) => drop(stderr.write_all(text.as_bytes())),
                    Piece::Task(task) => task(),
                }
                printing.done(bytes);
            }
        })?;
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// Writes a line of a guest, unless too much waits already.
    pub fn line(&self, stream: StandardStream, line: String) {
        let shared = &self.0.0;
        let mut state = shared.lock();
        let piece = Piece::Text(stream, line);
        if state.bytes + piece.bytes() > KEPT_BYTES_MAX {
            state.lost += 1;
            return;
        }
        if state.lost > 0 {
            let (stream, line) = (shared.lost_line)(std::mem::take(&mut state.lost));
            shared.push(&mut state, Piece::Text(stream, line));
        }
        shared.push(&mut state, piece);
    }

    /// Writes text of the host, which is never lost: there is little of it.
    pub fn text(&self, stream: StandardStream, text: String) {
        let shared = &self.0.0;
        shared.push(&mut shared.lock(), Piece::Text(stream, text));
    }

    /// Does what writes to the terminal in its own way, after all that came before.
    pub fn run(&self, task: impl FnOnce() + Send + 'static) {
        let shared = &self.0.0;
        shared.push(&mut shared.lock(), Piece::Task(Box::new(task)));
    }

    /// Whether guests may write more now.
    pub fn room(&self) -> &OutputRoom {
        &self.0.0.room
    }

    /// Waits until everything is written that was to be written until now. A terminal that stands still may never write it.
    pub async fn written(&self) {
        let shared = &self.0.0;
        let taken = {
            let mut state = shared.lock();
            if state.lost > 0 {
                let (stream, line) = (shared.lost_line)(std::mem::take(&mut state.lost));
                shared.push(&mut state, Piece::Text(stream, line));
            }
            state.taken
        };
        // The sender is held by this very value, so the wait can't fail.
        let _ = shared.written.subscribe().wait_for(|written| *written >= taken).await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, state: &mut State, piece: Piece) {
        state.bytes += piece.bytes();
        state.taken += 1;
        state.waiting.push_back(piece);
        if state.bytes >= WAITING_BYTES_MAX {
            self.room.set(false);
        }
        self.arrived.notify_one();
    }

    /// Waits for the next piece. `None` if there will be none.
    fn next(&self) -> Option<Piece> {
        let mut state = self.lock();
        loop {
            if let Some(piece) = state.waiting.pop_front() {
                return Some(piece);
            }
            if state.ended {
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes that a piece was written.
    fn done(&self, bytes: usize) {
        let mut state = self.lock();
        state.bytes -= bytes;
        if state.bytes <= RESUME_BYTES {
            self.room.set(true);
        }
        drop(state);
        self.written.send_modify(|written| *written += 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use futures::FutureExt;

    use super::*;

    /// A screen that writes a piece for each word that it is given.
    struct Screen {
        go: Receiver<()>,
        written: Sender<String>,
    }

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.go.recv().map_err(io::Error::other)?;
            self.written.send(String::from_utf8_lossy(bytes).into_owned()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn printer() -> (Printer, Sender<()>, Receiver<String>) {
        let ((go, going), (written, lines)) = (channel(), channel());
        let screen = Box::new(Screen { go: going, written });
        let lost_line = |lines| (StandardStream::Stdout, format!("lost {lines}\n"));
        (Printer::start(screen, Box::new(io::sink()), lost_line).expect("there are threads"), go, lines)
    }

    #[tokio::test]
    async fn pieces_are_written_in_their_order_and_can_be_waited_for() {
        let (printer, go, lines) = printer();
        printer.line(StandardStream::Stdout, "one\n".to_owned());
        let (done, told) = channel();
        printer.run(move || {
            let _ = done.send(());
        });
        printer.text(StandardStream::Stdout, "two\n".to_owned());
        assert!(printer.written().now_or_never().is_none(), "nothing was written yet");
        go.send(()).expect("it listens");
        told.recv().expect("it comes after the first line");
        assert_eq!(lines.try_recv().as_deref(), Ok("one\n"));
        go.send(()).expect("it listens");
        printer.written().await;
        assert_eq!(lines.recv().as_deref(), Ok("two\n"));
    }

    #[tokio::test]
    async fn guests_wait_while_a_screen_stands_still_and_lose_only_what_they_write_nevertheless() {
        let (printer, go, lines) = printer();
        let line = "x".repeat(WAITING_BYTES_MAX / 4);
        (0..3).for_each(|_| printer.line(StandardStream::Stdout, line.clone()));
        assert!(printer.room().is_there());
        printer.line(StandardStream::Stdout, line.clone());
        assert!(!printer.room().is_there());
        (4..100).for_each(|_| printer.line(StandardStream::Stdout, line.clone()));
        printer.text(StandardStream::Stdout, "of the host\n".to_owned());
        let kept = KEPT_BYTES_MAX / (line.len() + PIECE_OVERHEAD_BYTES);
        (0..kept + 2).for_each(|_| go.send(()).expect("it listens"));
        printer.written().await;
        assert!(printer.room().is_there());
        let written: Vec<String> = lines.try_iter().collect();
        assert_eq!(written.len(), kept + 2);
        assert_eq!(written[kept..], ["of the host\n".to_owned(), format!("lost {}\n", 100 - kept)]);
    }
}
