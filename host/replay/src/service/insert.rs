//! Inserts of one sender: what it has in flight, and when it should send no more.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use hashbrown::HashSet;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::shared::{Outcome, WaitingInsert};
use super::{Service, ServiceError};
use crate::table::{Item, ItemKey};

/// The inserts of one sender. Those that still wait when this is dropped may go in later, and nobody hears of it.
#[derive(Debug)]
pub struct Inserts {
    service: Service,
    owner: u64,
    tell: UnboundedSender<Result<ItemKey, ServiceError>>,
    hear: UnboundedReceiver<Result<ItemKey, ServiceError>>,
    waiting: usize,
    is_full: bool,
    /// The tables that some inserts had to wait for.
    waited_for: HashSet<usize>,
}

/// What became of an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is in the table.
    Done,
    /// The limiter does not let it in yet. [`Inserts::poll_done`] says when it is in.
    Waits,
}

impl Service {
    /// For the inserts of one sender.
    pub fn inserts(&self) -> Inserts {
        let (tell, hear) = mpsc::unbounded_channel();
        let owner = self.0.next_owner.fetch_add(1, Ordering::Relaxed);
        let waited_for = HashSet::new();
        Inserts { service: self.clone(), owner, tell, hear, waiting: 0, is_full: false, waited_for }
    }

    /// Inserts an item and returns when it is in the table. With a timeout it is not there if that has passed.
    ///
    /// # Errors
    /// If there is no such table, the priority is no good, the time is over, or the service ends.
    pub async fn insert(
        &self,
        table: &str,
        item: Arc<Item>,
        priority: f64,
        timeout: Option<Duration>,
    ) -> Result<(), ServiceError> {
        let mut inserts = self.inserts();
        if inserts.insert(table, item, priority)? == Progress::Done {
            return Ok(());
        }
        let done = std::future::poll_fn(|cx| inserts.poll_done(cx));
        let Some(timeout) = timeout else { return done.await.map(drop) };
        if let Ok(done) = self.0.scheduler.timeout(timeout, done).await {
            return done.map(drop);
        }
        // It may have gone in at the last moment.
        if inserts.take_back() { Err(ServiceError::TimedOut) } else { Ok(()) }
    }
}

impl Inserts {
    /// Inserts an item, now if possible.
    ///
    /// # Errors
    /// If there is no such table, the priority is no good, or the service ends.
    pub fn insert(&mut self, table: &str, item: Arc<Item>, priority: f64) -> Result<Progress, ServiceError> {
        let service = &self.service;
        let place = *service.0.places.get(table).ok_or_else(|| ServiceError::NoTable(table.to_owned()))?;
        let waiting = || WaitingInsert {
            item: item.clone(),
            priority,
            since: service.now(),
            owner: self.owner,
            done: self.tell.clone(),
        };
        let outcome = service.0.tables[place].insert(service.wall_nanos(), waiting, &item, priority)?;
        Ok(match outcome {
            Outcome::Done => Progress::Done,
            Outcome::Waits { is_full } => {
                self.waiting += 1;
                self.is_full |= is_full;
                self.waited_for.insert(place);
                Progress::Waits
            }
        })
    }

    /// How many inserts wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether no more should be sent until [`Self::poll_done`] has told of one that waits.
    pub fn is_full(&self) -> bool {
        self.is_full && self.waiting > 0
    }

    /// The key of an insert that waited and is in the table now. Pending for ever if none waits.
    pub fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Result<ItemKey, ServiceError>> {
        let Poll::Ready(Some(done)) = self.hear.poll_recv(cx) else { return Poll::Pending };
        self.waiting -= 1;
        self.is_full = self.waiting > 0 && self.waited_for.iter().any(|place| self.service.0.tables[*place].is_full());
        Poll::Ready(done)
    }

    /// Takes back the inserts that wait. Returns whether there was any.
    fn take_back(&mut self) -> bool {
        let tables = self.waited_for.drain().map(|place| &self.service.0.tables[place]);
        self.waiting = 0;
        tables.map(|shared| shared.take_back(self.owner).len()).sum::<usize>() > 0
    }
}

impl Drop for Inserts {
    fn drop(&mut self) {
        for place in &self.waited_for {
            self.service.0.tables[*place].leave(self.owner);
        }
    }
}
