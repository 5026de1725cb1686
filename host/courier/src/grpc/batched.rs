//! A connection that has its turn after everything else that is ready.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::task::yield_now;

/// Polls what drives a connection once the tasks that are ready have had their turn.
///
/// A task that writes to a stream wakes that of its connection, which tokio would run right after it, with a system call for
/// what little there is. So each message would go out by itself, and over TLS as a record of its own. Here all that other tasks
/// write until then goes out at once. A connection that nobody else keeps busy loses nothing by it: then no other task is ready.
#[derive(Debug)]
pub(super) struct Batched<D> {
    driver: D,
    has_waited: bool,
}

impl<D> Batched<D> {
    /// What drives a connection.
    pub fn new(driver: D) -> Self {
        Self { driver, has_waited: false }
    }

    /// Polls by `poll`, or goes to the end of the queue of tasks first.
    pub fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut D, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if !std::mem::replace(&mut self.has_waited, true) {
            // Polled once, this has the thread wake the task when it has no other to run. Were the task to wake itself, another
            // thread would be woken to take it over.
            let _ = pin!(yield_now()).poll(cx);
            return Poll::Pending;
        }
        let polled = poll(&mut self.driver, cx);
        self.has_waited = polled.is_ready();
        polled
    }
}

impl<D: Future + Unpin> Future for Batched<D> {
    type Output = D::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<D::Output> {
        self.poll_with(cx, |driver, cx| Pin::new(driver).poll(cx))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use futures::task::AtomicWaker;
    use tokio::task::JoinSet;

    use super::*;

    /// How many messages each turn of a driver has that ten tasks of one thread write to.
    fn turns(
        drive: impl FnOnce(Pin<Box<dyn Future<Output = ()> + Send>>) -> Pin<Box<dyn Future<Output = ()> + Send>>,
    ) -> Vec<usize> {
        let (written, waker) = (Arc::<AtomicUsize>::default(), Arc::new(AtomicWaker::new()));
        let turns = Arc::<Mutex<Vec<usize>>>::default();
        let driver = {
            let (written, waker, turns) = (written.clone(), waker.clone(), turns.clone());
            let mut left = 10;
            poll_fn(move |cx| {
                waker.register(cx.waker());
                let taken = written.swap(0, Ordering::SeqCst);
                if taken > 0 {
                    turns.lock().expect("no test panics with it").push(taken);
                }
                left -= taken;
                if left == 0 { Poll::Ready(()) } else { Poll::Pending }
            })
        };
        let driver = drive(Box::pin(driver));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("it can be made");
        let all = async move {
            let driver = tokio::spawn(driver);
            // It waits for what is written from here on.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            let mut tasks = JoinSet::new();
            for _ in 0..10 {
                let (written, waker) = (written.clone(), waker.clone());
                tasks.spawn(async move {
                    written.fetch_add(1, Ordering::SeqCst);
                    waker.wake();
                });
            }
            driver.await.expect("it does not panic");
        };
        runtime.block_on(async { tokio::spawn(all).await }).expect("it does not panic");
        turns.lock().expect("no test panics with it").clone()
    }

    #[test]
    fn what_ready_tasks_write_goes_out_at_once() {
        assert_eq!(turns(|driver| Box::pin(Batched::new(driver))), [10]);
        assert!(turns(|driver| driver).len() > 1, "a runtime that did so by itself would need none of this");
    }
}
