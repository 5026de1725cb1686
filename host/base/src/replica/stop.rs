//! A stop request, of the program or of one replica: set once, by anyone, seen by everyone.

use std::sync::Arc;

use tokio::sync::watch;

/// A shared flag that says that the program, or a replica alone, has been asked to stop.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Asks for the stop; more requests change nothing.
    pub fn request(&self) {
        self.0.send_if_modified(|requested| !std::mem::replace(requested, true));
    }

    /// Whether the stop has been asked for.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the stop has been asked for.
    pub async fn requested(&self) {
        // The sender is held by this very value, so the wait can't fail.
        let _ = self.0.subscribe().wait_for(|requested| *requested).await;
    }
}
