//! The tables of a replay node, and those who wait for them. Whatever serves clients or guests calls these functions.

mod held;
mod insert;
mod sample;
mod shared;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
pub use held::Held;
use held::Holders;
pub use insert::{Inserts, Progress};
use lp_base::scheduler::Scheduler;
pub use sample::Batch;
use shared::{Room, Shared};

use crate::table::{
    ChunkKey, Gauge, ItemKey, LimiterError, LimiterSpec, PriorityError, Removed, SpecError, Table, TableInfo,
    TrajectoryError,
};

/// Tables by their names. A clone has the same tables.
#[derive(Clone, Debug)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tables: Vec<Arc<Shared>>,
    places: HashMap<String, usize>,
    scheduler: Scheduler,
    gauge: Gauge,
    memory: Option<MemoryLimit>,
    holders: Holders,
    state_id: (u64, u64),
    next_owner: AtomicU64,
}

/// What senders hold for items to come may take one in so many of the bytes that chunks may take.
const HELD_SHARE: usize = 4;

/// How much memory chunks may take.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimit {
    /// In bytes.
    pub bytes: usize,
    /// Whether items of a table make room for others of it. Otherwise inserts wait.
    pub evicts: bool,
}

/// Why something could not be done. The texts are those that Reverb's clients know.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ServiceError {
    /// There is no such table.
    #[error("Priority table {0} was not found")]
    NoTable(String),
    /// Nothing could be sampled or inserted for as long as the caller wanted to wait.
    #[error("Rate Limiter: Timeout exceeded before the right to insert was acquired.")]
    TimedOut,
    /// The service ends.
    #[error("RateLimiter has been cancelled")]
    Closed,
    /// The priority is none that the table could have.
    #[error(transparent)]
    Priority(#[from] PriorityError),
    /// The item's trajectory is none.
    #[error(transparent)]
    Trajectory(#[from] TrajectoryError),
    /// The item alone takes more memory than there is.
    #[error("the item's chunks have {bytes} bytes, more than the {most} that the node may have")]
    TooLarge {
        /// The bytes of its chunks.
        bytes: usize,
        /// The most.
        most: usize,
    },
    /// Senders hold too much for items to come, and this one most of it.
    #[error(
        "the chunks that writers have sent for items to come take more than {most} bytes, a quarter of the node's \
         `limits.memory`, and this writer has sent most of them"
    )]
    HeldTooMuch {
        /// The most that all may hold.
        most: usize,
    },
    /// A trajectory refers to a chunk that its stream does not have.
    #[error("Could not find sequence chunk {0}.")]
    NoChunk(ChunkKey),
}

/// Why there can be no such service.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TablesError {
    /// There is no table.
    #[error("a replay service must have a table")]
    None,
    /// Two tables have the same name.
    #[error("two tables are named `{0}`")]
    SameName(String),
    /// A table can't be as described.
    #[error("table `{name}`: {error}")]
    Spec {
        /// Its name.
        name: String,
        /// Why.
        error: SpecError,
    },
}

/// What those who wait want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To insert.
    Insert,
    /// To sample.
    Sample,
}

/// That some wait for a table.
#[derive(Clone, Debug)]
pub struct Wait {
    /// The table.
    pub table: String,
    /// What they want.
    pub wanted: Wanted,
    /// How many they are.
    pub count: usize,
    /// How long the first of them has waited.
    pub time: Duration,
    /// Why it waits.
    pub reason: String,
}

impl Service {
    /// A service with these tables, which may have items of a checkpoint. Their chunks were made with `gauge`.
    ///
    /// # Errors
    /// If there is no table, or two have the same name.
    pub fn new(tables: Vec<Table>, gauge: Gauge, scheduler: Scheduler) -> Result<Self, TablesError> {
        Self::limited(tables, gauge, None, scheduler)
    }

    /// The same with a limit on the memory of chunks. [`Self::keep_room`] has to run beside it.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn limited(
        tables: Vec<Table>,
        gauge: Gauge,
        memory: Option<MemoryLimit>,
        scheduler: Scheduler,
    ) -> Result<Self, TablesError> {
        if tables.is_empty() {
            return Err(TablesError::None);
        }
        let mut places = HashMap::new();
        for (place, table) in tables.iter().enumerate() {
            let name = &table.spec().name;
            if places.insert(name.clone(), place).is_some() {
                return Err(TablesError::SameName(name.clone()));
            }
        }
        let mut random = scheduler.random("replay");
        let state_id = (random.u64(..), random.u64(..));
        let holders = Holders::new(memory.map_or(usize::MAX, |limit| limit.bytes / HELD_SHARE));
        let room = memory.map(|limit| Room { limit, gauge: gauge.clone() });
        let shared = |table| Arc::new(Shared::new(table, random.fork(), room.clone()));
        let tables = tables.into_iter().map(shared).collect();
        let next_owner = AtomicU64::new(0);
        Ok(Self(Arc::new(Inner { tables, places, scheduler, gauge, memory, holders, state_id, next_owner })))
    }

    /// Differs for every service, so that clients know when what they have learned of its tables is old.
    pub fn state_id(&self) -> (u64, u64) {
        self.0.state_id
    }

    /// Counts the bytes of the chunks that clients have sent and that still exist.
    pub fn gauge(&self) -> &Gauge {
        &self.0.gauge
    }

    /// Lets in what waits for memory, whenever there is some again. Runs for as long as the service has a limit.
    pub async fn keep_room(&self) {
        if self.0.memory.is_none() {
            return std::future::pending().await;
        }
        loop {
            self.0.gauge.fallen().await;
            let now = self.wall_nanos();
            self.0.tables.iter().for_each(|shared| shared.change(now, |_, _| ()));
        }
    }

    /// The figures of every table.
    pub fn info(&self) -> Vec<TableInfo> {
        self.0.tables.iter().map(|shared| shared.look(Table::info)).collect()
    }

    /// Why inserts and samples wait, and since when. Nothing is in it while none does.
    pub fn waits(&self) -> Vec<Wait> {
        let now = self.now();
        self.0.tables.iter().flat_map(|shared| shared.waits(now)).collect()
    }

    /// Deletes items of a table and gives others another priority, in this order. Keys that are not there are passed over.
    ///
    /// # Errors
    /// If there is no such table, or a priority is no good: then nothing happens.
    pub fn mutate(&self, table: &str, updates: &[(ItemKey, f64)], deletes: &[ItemKey]) -> Result<(), ServiceError> {
        let shared = self.table(table)?;
        shared.change(self.wall_nanos(), |table, removed| {
            for (_, priority) in updates {
                table.check_priority(*priority)?;
            }
            for key in deletes {
                table.delete(*key, removed);
            }
            for (key, priority) in updates {
                table.update(*key, *priority)?;
            }
            Ok(())
        })
    }

    /// Deletes all items of a table.
    ///
    /// # Errors
    /// If there is no such table.
    pub fn reset(&self, table: &str) -> Result<(), ServiceError> {
        let shared = self.table(table)?;
        shared.change(self.wall_nanos(), |table, removed| table.reset(removed));
        Ok(())
    }

    /// Holds a table to another limiter, also for those who wait already.
    ///
    /// # Errors
    /// If there is no such table. The inner error says why there can be no such limiter.
    pub fn set_limiter(&self, table: &str, spec: LimiterSpec) -> Result<Result<(), LimiterError>, ServiceError> {
        let shared = self.table(table)?;
        Ok(shared.change(self.wall_nanos(), |table, _| table.set_limiter(spec)))
    }

    /// Ends all waiting with [`ServiceError::Closed`], and lets nobody wait any more.
    pub fn close(&self) {
        for shared in &self.0.tables {
            shared.close();
        }
    }

    /// Whether a table may have an item of that priority.
    ///
    /// # Errors
    /// If there is no such table, or the priority is no good.
    pub fn check(&self, table: &str, priority: f64) -> Result<(), ServiceError> {
        Ok(self.table(table)?.look(|table| table.check_priority(priority))?)
    }

    fn table(&self, name: &str) -> Result<&Arc<Shared>, ServiceError> {
        let place = self.0.places.get(name).ok_or_else(|| ServiceError::NoTable(name.to_owned()))?;
        Ok(&self.0.tables[*place])
    }

    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.0.scheduler
    }

    /// Every table in turn.
    pub(crate) fn each_table(&self) -> impl Iterator<Item = TableRef> + use<> {
        self.0.tables.clone().into_iter().map(TableRef)
    }

    fn now(&self) -> Instant {
        self.0.scheduler.now()
    }

    fn wall_nanos(&self) -> i64 {
        let since = self.0.scheduler.wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }
}

/// One table of a service, for what needs it whole.
pub(crate) struct TableRef(Arc<Shared>);

impl TableRef {
    /// Uses the table while nobody else does. What was removed is dropped afterwards.
    pub fn with<T>(&self, work: impl FnOnce(&mut Table, &mut Removed) -> T) -> T {
        self.0.with(work)
    }
}
