//! The one thread on which a fleet's workers reach the user: it writes their lines, which may block, and passes their events
//! on in between, so that what a replica wrote is there before its end is reported.

use std::collections::HashMap;
use std::sync::Arc;

use lp_base::replica::{LineSink, Outputs, Stream};
use lp_base::scheduler::Scheduler;
use tokio::sync::mpsc;

use crate::node::NodeEvent;

/// The lines and events that wait for the thread. A worker with more has to wait with its reports.
const RELAYED_MAX: usize = 1024;

/// Something that a worker reported.
pub(super) enum Relayed {
    /// A line of the output of a replica, or one of the host about it.
    Line { label: String, stream: Stream, line: String },
    /// Something happened to a replica.
    Event(NodeEvent),
}

impl Relayed {
    /// A line of the host about the worker or replica called `label`.
    pub fn host(label: String, line: String) -> Self {
        Self::Line { label, stream: Stream::Host, line }
    }
}

/// The way to the thread.
#[derive(Clone)]
pub(super) struct Relay(mpsc::Sender<Relayed>);

impl Relay {
    /// Starts the thread. It ends with the last relay.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start(
        outputs: Arc<dyn Outputs>,
        events: mpsc::UnboundedSender<NodeEvent>,
        scheduler: &Scheduler,
    ) -> std::io::Result<Self> {
        let (sender, mut relayed) = mpsc::channel(RELAYED_MAX);
        scheduler.thread("relay", move || {
            let mut sinks: HashMap<String, Arc<dyn LineSink>> = HashMap::new();
            while let Some(next) = relayed.blocking_recv() {
                match next {
                    Relayed::Line { label, stream, line } => {
                        let sink = sinks.entry(label).or_insert_with_key(|label| outputs.sink(label));
                        sink.line(stream, line.as_bytes());
                    }
                    // The supervisor may have ended.
                    Relayed::Event(event) => drop(events.send(event)),
                }
            }
        })?;
        Ok(Self(sender))
    }

    /// Passes something on, once there is room for it.
    pub async fn pass(&self, relayed: Relayed) {
        // The thread takes everything until the last sender is gone, and this is one.
        let _ = self.0.send(relayed).await;
    }
}
