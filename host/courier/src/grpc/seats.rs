//! The connections of one endpoint: so many at once, and who makes room where another client comes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use lp_base::scheduler::Scheduler;
use tokio::sync::Notify;

/// The connections of one endpoint.
#[derive(Debug)]
pub(super) struct Seats {
    seats: Mutex<Vec<Arc<Seat>>>,
    max: usize,
    scheduler: Scheduler,
}

/// The place of one connection.
#[derive(Debug)]
pub(super) struct Seat {
    state: Mutex<State>,
    ended: Notify,
    scheduler: Scheduler,
}

#[derive(Debug)]
struct State {
    calls: usize,
    idle_since: Instant,
}

/// A seat that is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    seat: Arc<Seat>,
    of: Arc<Seats>,
}

/// A call of a connection, for as long as this lives: it keeps its seat.
#[derive(Debug)]
pub(super) struct Calling(Arc<Seat>);

impl Seats {
    pub fn new(max: usize, scheduler: Scheduler) -> Arc<Self> {
        Arc::new(Self { seats: Mutex::default(), max, scheduler })
    }

    /// A seat for one more connection. If all are taken, the connection that has been without a call for longest loses its
    /// own; `None` if all have one.
    pub fn take(self: &Arc<Self>) -> Option<Taken> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if seats.len() >= self.max {
            let idle = seats.iter().enumerate().filter_map(|(place, seat)| Some((seat.idle_since()?, place)));
            let (_, place) = idle.min()?;
            seats.swap_remove(place).end();
        }
        let state = State { calls: 0, idle_since: self.scheduler.now() };
        let seat = Arc::new(Seat { state: Mutex::new(state), ended: Notify::new(), scheduler: self.scheduler.clone() });
        seats.push(seat.clone());
        Some(Taken { seat, of: self.clone() })
    }
}

impl Seat {
    /// Whether the connection has no call, nor an answer that the client has not taken.
    pub fn is_idle(&self) -> bool {
        self.idle_since().is_some()
    }

    fn idle_since(&self) -> Option<Instant> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.calls == 0).then_some(state.idle_since)
    }

    /// Notes that a call begins.
    pub fn call(self: &Arc<Self>) -> Calling {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).calls += 1;
        Calling(self.clone())
    }

    /// Has the connection end.
    pub fn end(&self) {
        self.ended.notify_one();
    }

    /// Ready when the connection has to end.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }
}

impl Taken {
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut seats = self.of.seats.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have been lost to another connection.
        seats.retain(|seat| !Arc::ptr_eq(seat, &self.seat));
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.calls -= 1;
        state.idle_since = self.0.scheduler.now();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::{Scheduler, Seats};

    #[test]
    fn the_connection_without_a_call_for_longest_makes_room() {
        let seats = Seats::new(2, Scheduler::default());
        let (first, second) = (seats.take().expect("there is room"), seats.take().expect("there is room"));
        drop(first.seat().call());
        let third = seats.take().expect("the second makes room");
        assert!(first.seat().ended().now_or_never().is_none());
        assert!(second.seat().ended().now_or_never().is_some());
        // One that gives back what it has lost already takes nothing from the others.
        drop(second);
        let _calls = [first.seat().call(), third.seat().call()];
        assert!(seats.take().is_none());
        drop(first);
        assert!(seats.take().is_some());
        assert!(third.seat().ended().now_or_never().is_none());
    }
}
