//! The bytes that the host keeps for one caller: of its calls that are not answered, and of results that it has not taken.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::scheduler::Scheduler;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts the bytes that are kept for one caller.
pub struct Kept {
    bytes: AtomicU64,
    bytes_max: u64,
    /// Told when there are too many.
    exceeded: Box<dyn Fn() + Send + Sync>,
    window: Option<Window>,
}

/// How much of it calls may be that are under way; more wait.
struct Window {
    /// A permit for each [`IN_FLIGHT_BYTES_MIN`].
    room: Arc<Semaphore>,
    room_max: u32,
    /// How many calls were answered, which tells whether anything moves.
    answered: AtomicU64,
}

/// The unit in which calls under way are measured. Smaller ones always have room.
pub const IN_FLIGHT_BYTES_MIN: u64 = 1024;

/// How long a call waits while none of the caller's is answered. Calls may wait for each other's caller, so that waiting longer
/// could be for ever.
const STANDSTILL: Duration = Duration::from_secs(1);

/// A call under way, until this is dropped.
#[derive(Debug)]
pub struct InFlight {
    _room: Option<OwnedSemaphorePermit>,
    of: Arc<Kept>,
}

/// Bytes that are kept until this is dropped.
#[derive(Debug)]
pub struct KeptBytes {
    bytes: u64,
    of: Arc<Kept>,
}

impl Kept {
    /// Counts up to `bytes_max`, and calls `exceeded` for what would be more.
    pub fn new(bytes_max: u64, exceeded: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicU64::new(0), bytes_max, exceeded: Box::new(exceeded), window: None })
    }

    /// The same for a caller of whose calls `bytes` may be under way; more wait in [`Self::admit`], and count too.
    pub fn of_caller(bytes: u64, bytes_max: u64, exceeded: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let room_max = u32::try_from(bytes.div_ceil(IN_FLIGHT_BYTES_MIN)).unwrap_or(u32::MAX);
        let room = Arc::new(Semaphore::new(room_max as usize));
        let window = Some(Window { room, room_max, answered: AtomicU64::new(0) });
        Arc::new(Self { bytes: AtomicU64::new(0), bytes_max, exceeded: Box::new(exceeded), window })
    }

    /// Lets a call with a request of so many bytes go at once, if there is room for it. A single call always has room.
    pub fn try_admit(self: &Arc<Self>, bytes: u64) -> Option<InFlight> {
        let Some(Window { room, room_max, .. }) = &self.window else { return Some(self.admitted(None)) };
        let permit = room.clone().try_acquire_many_owned(units(bytes, *room_max)).ok()?;
        Some(self.admitted(Some(permit)))
    }

    /// The same when there is room, or when none of the calls under way has been answered for a while.
    pub async fn admit(self: &Arc<Self>, bytes: u64, scheduler: &Scheduler) -> InFlight {
        let Some(Window { room, room_max, answered }) = &self.window else { return self.admitted(None) };
        let mut permit = std::pin::pin!(room.clone().acquire_many_owned(units(bytes, *room_max)));
        loop {
            let before = answered.load(Ordering::Relaxed);
            match scheduler.timeout(STANDSTILL, permit.as_mut()).await {
                Ok(permit) => return self.admitted(permit.ok()),
                Err(_) if answered.load(Ordering::Relaxed) == before => return self.admitted(None),
                Err(_) => {}
            }
        }
    }

    fn admitted(self: &Arc<Self>, room: Option<OwnedSemaphorePermit>) -> InFlight {
        InFlight { _room: room, of: self.clone() }
    }

    /// The bytes that are kept now.
    pub fn kept_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts so many bytes, unless they are too many.
    #[inline]
    pub fn keep(self: &Arc<Self>, bytes: u64) -> Option<KeptBytes> {
        let all = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let kept = KeptBytes { bytes, of: self.clone() };
        if all <= self.bytes_max {
            return Some(kept);
        }
        (self.exceeded)();
        None
    }
}

fn units(bytes: u64, max: u32) -> u32 {
    u32::try_from(bytes.div_ceil(IN_FLIGHT_BYTES_MIN)).unwrap_or(u32::MAX).min(max)
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(window) = &self.of.window {
            window.answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl KeptBytes {
    /// Counts more bytes along with these, unless they are too many.
    pub fn grow(&mut self, bytes: u64) -> bool {
        let Some(mut more) = self.of.keep(bytes) else { return false };
        self.bytes += std::mem::take(&mut more.bytes);
        true
    }
}

impl Drop for KeptBytes {
    #[inline]
    fn drop(&mut self) {
        self.of.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({} of {} bytes)", self.bytes.load(Ordering::Relaxed), self.bytes_max)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Kept;
    use crate::scheduler::Scheduler;

    #[tokio::test]
    async fn calls_wait_until_others_are_answered_or_nothing_moves() {
        let (scheduler, kept) = (Scheduler::default(), Kept::of_caller(10 * 1024, 20 * 1024, || {}));
        let first = kept.try_admit(6 * 1024).expect("there is room");
        assert!(kept.try_admit(5 * 1024).is_none());
        let waiting = kept.admit(5 * 1024, &scheduler);
        let answered = async {
            tokio::task::yield_now().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(waiting, answered);
        assert!(kept.try_admit(6 * 1024).is_none());
        // Nobody answers the second, so the third goes all the same.
        let third = kept.admit(6 * 1024, &scheduler).await;
        drop((second, third));
        assert!(kept.try_admit(u64::MAX).is_some(), "a single call has room");
    }

    #[test]
    fn bytes_count_until_they_are_dropped() {
        let exceeded = Arc::new(AtomicU32::new(0));
        let told = exceeded.clone();
        let kept = Kept::new(10, move || {
            told.fetch_add(1, Ordering::Relaxed);
        });
        let first = kept.keep(6).expect("it is within the limit");
        let second = kept.keep(4).expect("it is at the limit");
        assert!(kept.keep(1).is_none());
        assert_eq!(exceeded.load(Ordering::Relaxed), 1);
        drop(first);
        let third = kept.keep(6).expect("the first was dropped");
        drop((second, third));
        let mut fourth = kept.keep(4).expect("all were dropped");
        assert!(fourth.grow(6) && !fourth.grow(1));
        assert!(kept.keep(1).is_none());
        drop(fourth);
        assert!(kept.keep(10).is_some());
    }
}
