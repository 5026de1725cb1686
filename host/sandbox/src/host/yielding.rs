//! How what the host does for a guest lets others have a turn.

use std::future::poll_fn;
use std::mem::replace;
use std::task::Poll;

/// Ends the replica's turn. What it has taken so far is charged, and the replica may fail for it.
pub async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
