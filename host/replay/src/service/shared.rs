//! One table with the queues of those who wait for it.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::{MemoryLimit, ServiceError, Wait, Wanted};
use crate::table::{Gauge, Item, ItemKey, Removed, Sample, Table};

/// As many inserts may wait for a table before those who send them are no longer read: a tenth of its size, 1 to this.
const WAITING_INSERTS_MAX: usize = 1000;

/// As many bytes of chunks may wait before those who send them are no longer read.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// A batch of samples ends with the one that brings its chunks to as many bytes.
const BATCH_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    table: Table,
    random: fastrand::Rng,
    inserts: VecDeque<WaitingInsert>,
    insert_bytes: usize,
    samples: VecDeque<WaitingSample>,
    samples_begun: u64,
    is_closed: bool,
    room: Option<Room>,
}

/// The memory that chunks have.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub limit: MemoryLimit,
    pub gauge: Gauge,
}

/// An insert that the limiter does not let in yet.
#[derive(Debug)]
pub(super) struct WaitingInsert {
    pub item: Arc<Item>,
    pub priority: f64,
    pub since: Instant,
    /// Who sent it.
    pub owner: u64,
    /// Gets its key once it is in.
    pub done: UnboundedSender<Result<ItemKey, ServiceError>>,
}

/// What became of an insert.
pub(super) enum Outcome {
    /// It is in the table.
    Done,
    /// It waits.
    Waits {
        /// More should not be sent until some that wait are in.
        is_full: bool,
    },
}

#[derive(Debug)]
struct WaitingSample {
    number: u64,
    wanted: Request,
    since: Instant,
    give: oneshot::Sender<Result<Vec<Sample>, ServiceError>>,
}

/// What samples are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// At most.
    pub count: usize,
    /// No item twice.
    pub is_distinct: bool,
}

/// What became of a request for samples.
pub(super) enum Sampled {
    /// At least one sample.
    Now(Vec<Sample>),
    /// They will come, unless [`Shared::forget_sample`] is called with the number first.
    Later(u64, oneshot::Receiver<Result<Vec<Sample>, ServiceError>>),
}

impl Shared {
    pub fn new(table: Table, random: fastrand::Rng, room: Option<Room>) -> Self {
        let state = State {
            table,
            random,
            inserts: VecDeque::new(),
            insert_bytes: 0,
            samples: VecDeque::new(),
            samples_begun: 0,
            is_closed: false,
            room,
        };
        Self { state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock is a bug, of which whoever had it has heard.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn look<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(&self.lock().table)
    }

    pub fn with<T>(&self, work: impl FnOnce(&mut Table, &mut Removed) -> T) -> T {
        let mut removed = Removed::default();
        // The lock ends here, before what was removed is dropped.
        work(&mut self.lock().table, &mut removed)
    }

    /// Does something to the table that may end a wait.
    pub fn change<T>(&self, now: i64, work: impl FnOnce(&mut Table, &mut Removed) -> T) -> T {
        let mut removed = Removed::default();
        let mut state = self.lock();
        let result = work(&mut state.table, &mut removed);
        state.advance(now, &mut removed);
        drop(state);
        result
    }

    /// Inserts the item of `waiting`, or has it wait.
    pub fn insert(
        &self,
        now: i64,
        waiting: impl FnOnce() -> WaitingInsert,
        item: &Arc<Item>,
        priority: f64,
    ) -> Result<Outcome, ServiceError> {
        let mut removed = Removed::default();
        let mut state = self.lock();
        state.table.check_priority(priority)?;
        if state.is_closed {
            return Err(ServiceError::Closed);
        }
        state.check_room(item)?;
        if !state.inserts.is_empty() || !state.can_insert(&mut removed) {
            let waiting = waiting();
            state.insert_bytes += waiting.item.bytes();
            state.inserts.push_back(waiting);
            return Ok(Outcome::Waits { is_full: state.is_full() });
        }
        state.insert(item.clone(), priority, now, &mut removed);
        state.advance(now, &mut removed);
        drop(state);
        Ok(Outcome::Done)
    }

    /// Whether senders of inserts should not be read.
    pub fn is_full(&self) -> bool {
        self.lock().is_full()
    }

    /// Drops inserts of a sender that has gone, but only those beyond what may wait: what it sent may still go in.
    pub fn leave(&self, owner: u64) {
        let mut dropped = Vec::new();
        let mut state = self.lock();
        let mut index = state.inserts.len();
        while index > 0 && state.is_full() {
            index -= 1;
            if state.inserts[index].owner == owner {
                dropped.extend(state.inserts.remove(index));
                state.insert_bytes -= dropped.last().map_or(0, |waiting| waiting.item.bytes());
            }
        }
        drop(state);
    }

    /// Takes back all inserts of a sender that still wait.
    pub fn take_back(&self, owner: u64) -> Vec<WaitingInsert> {
        let mut state = self.lock();
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            mem::take(&mut state.inserts).into_iter().partition(|it| it.owner == owner);
        state.inserts = left;
        state.insert_bytes -= taken.iter().map(|waiting| waiting.item.bytes()).sum::<usize>();
        taken.into()
    }

    /// 1 to as many samples as are wanted, now or later; an error if they can't be had now and `is_patient` is no.
    pub fn sample(&self, now: (Instant, i64), wanted: Request, is_patient: bool) -> Result<Sampled, ServiceError> {
        let mut removed = Removed::default();
        let mut state = self.lock();
        if state.is_closed {
            return Err(ServiceError::Closed);
        }
        if state.samples.is_empty() {
            let samples = state.take(wanted, &mut removed);
            if !samples.is_empty() {
                state.advance(now.1, &mut removed);
                drop(state);
                return Ok(Sampled::Now(samples));
            }
        }
        if !is_patient {
            return Err(ServiceError::TimedOut);
        }
        let (give, get) = oneshot::channel();
        state.samples_begun += 1;
        let number = state.samples_begun;
        state.samples.push_back(WaitingSample { number, wanted, since: now.0, give });
        Ok(Sampled::Later(number, get))
    }

    /// Nobody waits for the samples of this number any more.
    pub fn forget_sample(&self, number: u64) {
        self.lock().samples.retain(|waiting| waiting.number != number);
    }

    pub fn waits(&self, now: Instant) -> Vec<Wait> {
        let state = self.lock();
        let limiter = state.table.limiter();
        let wait = |wanted, count: usize, since: Option<Instant>, reason: Option<String>| {
            let time = now.saturating_duration_since(since?);
            let reason = reason.unwrap_or_else(|| "others were first".to_owned());
            Some(Wait { table: state.table.spec().name.clone(), wanted, count, time, reason })
        };
        let (first_insert, first_sample) = (state.inserts.front(), state.samples.front());
        let insert_waits = limiter.insert_waits().or_else(|| state.memory_waits());
        let inserts = wait(Wanted::Insert, state.inserts.len(), first_insert.map(|first| first.since), insert_waits);
        let samples =
            wait(Wanted::Sample, state.samples.len(), first_sample.map(|first| first.since), limiter.sample_waits());
        inserts.into_iter().chain(samples).collect()
    }

    pub fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let (inserts, samples) = (mem::take(&mut state.inserts), mem::take(&mut state.samples));
        state.insert_bytes = 0;
        drop(state);
        // Those who no longer listen need no answer.
        for waiting in inserts {
            let _ = waiting.done.send(Err(ServiceError::Closed));
        }
        for waiting in samples {
            let _ = waiting.give.send(Err(ServiceError::Closed));
        }
    }
}

impl State {
    fn is_full(&self) -> bool {
        let most = (self.table.spec().max_size / 10).clamp(1, WAITING_INSERTS_MAX);
        self.inserts.len() >= most || self.insert_bytes >= WAITING_BYTES_MAX
    }

    fn insert(&mut self, item: Arc<Item>, priority: f64, now: i64, removed: &mut Removed) {
        let inserted = self.table.insert(item, priority, now, &mut self.random, removed);
        inserted.expect("the priority was checked when the insert came");
    }

    /// Lets in, in turns, an insert and then what samples there can be, for as long as one of both can be.
    fn advance(&mut self, now: i64, removed: &mut Removed) {
        loop {
            let mut has_moved = false;
            if !self.inserts.is_empty() && self.can_insert(removed) {
                let waiting = self.inserts.pop_front().expect("it is not empty");
                self.insert_bytes -= waiting.item.bytes();
                let key = waiting.item.key();
                self.insert(waiting.item, waiting.priority, now, removed);
                let _ = waiting.done.send(Ok(key));
                has_moved = true;
            }
            has_moved |= self.give_samples(removed);
            if !has_moved {
                return;
            }
        }
    }

    fn give_samples(&mut self, removed: &mut Removed) -> bool {
        let mut has_given = false;
        while let Some(waiting) = self.samples.front() {
            if waiting.give.is_closed() {
                self.samples.pop_front();
                continue;
            }
            let samples = self.take(waiting.wanted, removed);
            if samples.is_empty() {
                break;
            }
            let waiting = self.samples.pop_front().expect("it was there");
            // If it has just stopped waiting, the samples are lost to it, as if it had taken and dropped them.
            let _ = waiting.give.send(Ok(samples));
            has_given = true;
        }
        has_given
    }

    /// An item that there can never be room for must not wait for it.
    fn check_room(&self, item: &Item) -> Result<(), ServiceError> {
        match &self.room {
            Some(room) if item.bytes() > room.limit.bytes => {
                Err(ServiceError::TooLarge { bytes: item.bytes(), most: room.limit.bytes })
            }
            _ => Ok(()),
        }
    }

    /// Whether there may be one more item, for which others may have to go.
    fn can_insert(&mut self, removed: &mut Removed) -> bool {
        if !self.table.limiter().can_insert() {
            return false;
        }
        let Some(room) = &self.room else { return true };
        // An empty table has room for an item: what takes the memory may be chunks that are on their way to it.
        while !self.table.is_empty() && room.gauge.exceeds(room.limit.bytes) {
            if !room.limit.evicts || !self.table.evict(&mut self.random, removed) {
                return false;
            }
            // Only what is dropped makes room.
            *removed = Removed::default();
        }
        true
    }

    fn memory_waits(&self) -> Option<String> {
        let room = self.room.as_ref()?;
        let (bytes, most) = (room.gauge.bytes(), room.limit.bytes);
        (bytes > most)
            .then(|| format!("the chunks of the node have {bytes} bytes, and {most} are all that it may have"))
    }

    /// As many of the wanted samples as can be had now.
    fn take(&mut self, wanted: Request, removed: &mut Removed) -> Vec<Sample> {
        if wanted.is_distinct {
            return self.table.sample_distinct(wanted.count, &mut self.random, removed);
        }
        let count = wanted.count;
        let mut samples = Vec::new();
        let mut bytes = 0;
        while samples.len() < count && bytes < BATCH_BYTES && self.table.limiter().can_sample() {
            let Some(sample) = self.table.sample(&mut self.random, removed) else { break };
            bytes += sample.item.bytes();
            samples.push(sample);
        }
        samples
    }
}
