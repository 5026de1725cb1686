//! The stacks that guests run on: how many each replica has, and where they come from.
//!
//! wasmtime's own pool of stacks is one for all stores of an engine, so that a replica with many parked tasks would leave
//! none for others. Here each replica has a quota, and stacks that are given back are used again.

#![allow(unsafe_code, reason = "stacks are mapped here, and wasmtime asks for them by an unsafe trait")]

use std::cell::Cell;
use std::ffi::c_void;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::pin;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lp_base::plan::LimitsPlan;
use lp_base::words::Limit;
use lp_sandbox::LimitHit;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use wasmtime::{Result, StackCreator, StackMemory};

/// The stacks that are kept for reuse, for each engine. More would hold memory that guests have touched and left.
const SPARE_MAX: usize = 64;

thread_local! {
    /// The quota of the replica that has its turn on this thread.
    static CURRENT: Cell<Option<Arc<Fibers>>> = const { Cell::new(None) };
}

/// How many stacks one life of a replica has, and may have.
pub(super) struct Fibers {
    taken: AtomicU64,
    max: u64,
}

impl Fibers {
    /// The quota by the limits of a node.
    pub(super) fn new(limits: &LimitsPlan) -> Arc<Self> {
        Arc::new(Self { taken: AtomicU64::new(0), max: limits.fibers.into() })
    }

    /// Runs `future`, whose stacks all count towards this quota.
    pub(super) async fn of<R>(self: Arc<Self>, future: impl Future<Output = R>) -> R {
        let (mut own, mut future) = (Some(self), pin!(future));
        poll_fn(|cx| {
            let outer = CURRENT.replace(own.take());
            let mut turn = Turn { own: &mut own, outer };
            let polled = future.as_mut().poll(cx);
            turn.end();
            polled
        })
        .await
    }

    fn take(self: &Arc<Self>) -> Result<Taken, LimitHit> {
        // Only the thread that has the replica's turn takes; others may give back meanwhile.
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.max {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return Err(LimitHit::new(Limit::Fibers, self.max));
        }
        Ok(Taken(self.clone()))
    }
}

/// A poll of a replica's future. A panic in it must not leave the thread to the replica.
struct Turn<'a> {
    own: &'a mut Option<Arc<Fibers>>,
    outer: Option<Arc<Fibers>>,
}

impl Turn<'_> {
    fn end(&mut self) {
        if self.own.is_none() {
            *self.own = CURRENT.replace(self.outer.take());
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// One stack of a quota, until it is dropped.
struct Taken(Arc<Fibers>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes the stacks of an engine.
#[derive(Default)]
pub(super) struct Stacks {
    spare: Arc<Mutex<Vec<Mapping>>>,
}

// SAFETY: a `Stack` has its mapping to itself, until it is dropped, and a mapping is as `Mapping::new` says.
unsafe impl StackCreator for Stacks {
    fn new_stack(&self, size: usize, zeroed: bool) -> Result<Box<dyn StackMemory>> {
        let current = CURRENT.take();
        let taken = current.as_ref().map(Fibers::take).transpose();
        CURRENT.set(current);
        let taken = taken?;
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mapping = match spare.filter(|spare| !zeroed && spare.fits(size)) {
            Some(spare) => spare,
            None => Mapping::new(size).map_err(|error| wasmtime::format_err!("no room for a stack: {error}"))?,
        };
        Ok(Box::new(Stack { mapping: Some(mapping), spare: self.spare.clone(), _taken: taken }))
    }
}

/// A stack that a store has.
struct Stack {
    /// It is there until this is dropped.
    mapping: Option<Mapping>,
    spare: Arc<Mutex<Vec<Mapping>>>,
    _taken: Option<Taken>,
}

impl Stack {
    fn mapping(&self) -> &Mapping {
        self.mapping.as_ref().expect("a stack has its mapping until it is dropped")
    }
}

// SAFETY: the range is mapped and readable and writable, the guard below it is neither, and both begin and end with pages.
unsafe impl StackMemory for Stack {
    fn top(&self) -> *mut u8 {
        self.range().end as *mut u8
    }

    fn range(&self) -> Range<usize> {
        let Mapping { guard, guard_len, len } = *self.mapping();
        guard as usize + guard_len..guard as usize + len
    }

    fn guard_range(&self) -> Range<*mut u8> {
        let Mapping { guard, guard_len, .. } = *self.mapping();
        guard.cast()..guard.cast::<u8>().wrapping_add(guard_len)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_MAX {
            spare.extend(self.mapping.take());
        }
    }
}

/// The memory of a stack, with a page below it that nobody can touch.
struct Mapping {
    guard: *mut c_void,
    guard_len: usize,
    /// Of guard and stack.
    len: usize,
}

// SAFETY: it is memory that belongs to this value, whichever thread has that.
unsafe impl Send for Mapping {}
// SAFETY: as above; nothing is read or written through a reference.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps a stack of `size` bytes or somewhat more, full of zeros.
    fn new(size: usize) -> rustix::io::Result<Self> {
        let page = rustix::param::page_size();
        let len = size.next_multiple_of(page) + page;
        // SAFETY: new memory, wherever the kernel has room.
        let guard = unsafe {
            mmap_anonymous(null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE)
        }?;
        let mapping = Self { guard, guard_len: page, len };
        // SAFETY: the page was just mapped, and nobody else knows of it.
        unsafe { mprotect(guard, page, MprotectFlags::empty()) }?;
        Ok(mapping)
    }

    fn fits(&self, size: usize) -> bool {
        self.len - self.guard_len == size.next_multiple_of(self.guard_len)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new` with this length, and no stack is in it any more.
        let _ = unsafe { munmap(self.guard, self.len) };
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const SIZE: usize = 100_000;

    fn quota(max: u32) -> Arc<Fibers> {
        Fibers::new(&LimitsPlan { fibers: max, ..LimitsPlan::default() })
    }

    #[test]
    fn a_stack_can_be_written_from_end_to_end_and_is_used_again() {
        let stacks = Stacks::default();
        let stack = stacks.new_stack(SIZE, false).expect("there is room");
        let range = stack.range();
        assert!(
            range.len() >= SIZE && stack.top() as usize == range.end && stack.guard_range().end as usize == range.start
        );
        for at in [range.start, range.end - 1] {
            // SAFETY: it is in the stack, which nobody else uses.
            unsafe { (at as *mut u8).write(1) };
        }
        drop(stack);
        assert_eq!(stacks.new_stack(SIZE, false).expect("there is room").range(), range);
        assert_ne!(stacks.new_stack(2 * SIZE, false).expect("there is room").range().len(), range.len());
    }

    #[test]
    fn a_replica_at_its_quota_leaves_the_stacks_of_others_alone() {
        let stacks = Stacks::default();
        let (greedy, modest) = (quota(2), quota(2));
        let take = || stacks.new_stack(SIZE, false);
        let in_turn = |quota: &Arc<Fibers>| quota.clone().of(async { take() }).now_or_never().expect("nothing waits");
        let held = [in_turn(&greedy).expect("one"), in_turn(&greedy).expect("two")];
        let error = in_turn(&greedy).err().expect("three are too many");
        assert_eq!(error.to_string(), "it reached its limit `limits.fibers` = 2");
        // A turn within that of the greedy one, as when it calls the modest one on its own thread.
        let nested = greedy.clone().of(async { (in_turn(&modest).is_ok(), take().is_err()) });
        assert_eq!(nested.now_or_never(), Some((true, true)));
        drop(held);
        assert!(in_turn(&greedy).is_ok());
    }

    #[test]
    fn a_turn_that_panics_leaves_the_thread_to_nobody() {
        let quota = quota(0);
        let turn = std::panic::AssertUnwindSafe(|| quota.of(async { panic!("on purpose") }).now_or_never());
        let panicked: Result<Option<()>, _> = std::panic::catch_unwind(turn);
        assert!(panicked.is_err());
        assert!(Stacks::default().new_stack(SIZE, false).is_ok());
    }
}
