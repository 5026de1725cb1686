//! Lookups of host names, of which each takes a thread of the process for as long as the system needs: seconds, where no
//! server of names answers. Files are read on the same threads, so lookups get a part of them, and each replica a part of that.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use lp_base::scheduler::{Scheduler, Task};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinError;
use wasmtime_wasi::p2::Pollable;

/// The most lookups of one replica that the system works on at once; more wait.
pub const LOOKUPS_MAX: usize = 8;

/// The same of all replicas of the process, which has 512 such threads.
const LOOKUPS_OF_PROCESS_MAX: usize = 128;

static OF_PROCESS: Semaphore = Semaphore::const_new(LOOKUPS_OF_PROCESS_MAX);

/// The lookups of one replica. Clones share them.
#[derive(Clone)]
pub(crate) struct Lookups {
    own: Arc<Semaphore>,
    scheduler: Scheduler,
}

impl Lookups {
    pub fn new(scheduler: Scheduler) -> Self {
        Self { own: Arc::new(Semaphore::new(LOOKUPS_MAX)), scheduler }
    }

    /// The addresses of `name`, each with `port`, when it is the replica's turn.
    ///
    /// # Errors
    /// If the system finds none.
    pub async fn addresses(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let name = name.to_owned();
        self.turn(async move { Ok(tokio::net::lookup_host((name.as_str(), port)).await?.collect()) }).await
    }

    /// Has `lookup` take its turn. It goes on where nobody waits for it any more, because the system can't be stopped, and
    /// counts until then.
    async fn turn<T: Send + 'static>(
        &self,
        lookup: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        let own = self.own.clone().acquire_owned().await.map_err(io::Error::other)?;
        let of_process = OF_PROCESS.acquire().await.map_err(io::Error::other)?;
        let (done, looked) = oneshot::channel();
        let looking = async move {
            let _counted = (own, of_process);
            let _ = done.send(lookup.await);
        };
        // It ends with the system's answer.
        self.scheduler.spawn(looking).detach();
        looked.await.map_err(io::Error::other)?
    }
}

/// A lookup that a guest asks for by WASI 0.2: it goes on beside the guest, which takes the addresses one by one.
pub(crate) enum Addresses {
    /// It is not over.
    Pending(Task<io::Result<Vec<SocketAddr>>>),
    /// The addresses that are not taken, the last one first; or that there are none.
    Ready(Result<Vec<SocketAddr>, NotFound>),
}

/// There are no addresses of the name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotFound;

impl Addresses {
    pub fn of(lookups: Lookups, name: String) -> Self {
        let scheduler = lookups.scheduler.clone();
        Self::Pending(scheduler.spawn(async move { lookups.addresses(&name, 0).await }))
    }

    pub fn known(address: SocketAddr) -> Self {
        Self::Ready(Ok(vec![address]))
    }

    /// The next address, and `None` at their end; without it where the lookup is not over.
    pub fn next(&mut self) -> Option<Result<Option<SocketAddr>, NotFound>> {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        if let Self::Pending(looking) = self
            && let std::task::Poll::Ready(found) = Pin::new(looking).poll(&mut cx)
        {
            *self = Self::found(found);
        }
        match self {
            Self::Pending(_) => None,
            Self::Ready(found) => Some(found.as_mut().map(Vec::pop).map_err(|failure| *failure)),
        }
    }

    fn found(found: Result<io::Result<Vec<SocketAddr>>, JoinError>) -> Self {
        let found = found.map_err(io::Error::other).flatten();
        Self::Ready(found.map(|found| found.into_iter().rev().collect()).map_err(|_| NotFound))
    }
}

impl Pollable for Addresses {
    fn ready<'a, 'f>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            if let Self::Pending(looking) = self {
                *self = Self::found(looking.await);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt;
    use tokio::sync::Semaphore;

    use super::{LOOKUPS_MAX, Lookups, Scheduler};

    #[tokio::test]
    async fn lookups_of_a_replica_take_turns_and_count_until_the_system_has_answered() {
        let (lookups, begun) = (Lookups::new(Scheduler::default()), Arc::<AtomicUsize>::default());
        let answers = Arc::new(Semaphore::new(0));
        let look = || {
            let (lookups, begun, answers) = (lookups.clone(), begun.clone(), answers.clone());
            Box::pin(async move {
                let system = async move {
                    begun.fetch_add(1, Ordering::SeqCst);
                    answers.acquire().await.expect("it is open").forget();
                    Ok(())
                };
                lookups.turn(system).await
            })
        };
        let mut looking: Vec<_> = (0..20).map(|_| look()).collect();
        looking.iter_mut().for_each(|looking| assert!(looking.now_or_never().is_none()));
        while begun.load(Ordering::SeqCst) < LOOKUPS_MAX {
            tokio::task::yield_now().await;
        }
        // Nobody waits for them any more, and the system goes on.
        drop(looking);
        assert!(look().now_or_never().is_none());
        assert_eq!(begun.load(Ordering::SeqCst), LOOKUPS_MAX);
        answers.add_permits(LOOKUPS_MAX + 1);
        look().await.expect("it has its turn");
        assert_eq!(begun.load(Ordering::SeqCst), LOOKUPS_MAX + 1);
        // Another replica has turns of its own.
        answers.add_permits(1);
        Lookups::new(Scheduler::default()).turn(async { Ok(()) }).await.expect("it has its turn");
    }
}
