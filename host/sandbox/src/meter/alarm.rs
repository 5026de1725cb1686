//! Wakes a replica's loop when a call has taken too long, with one timer for all of its calls.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use lp_base::scheduler::{Scheduler, Sleep};

use super::Meter;
use crate::limits::LimitHit;

/// The timer of one replica. It is set while there are calls, for the oldest of them, and looks for the next one when it
/// goes off: most calls come and go without touching it.
pub struct Alarm {
    meter: Arc<Meter>,
    scheduler: Scheduler,
    timer: Option<Sleep>,
}

impl Alarm {
    /// An alarm for what `meter` counts.
    pub fn new(meter: Arc<Meter>, scheduler: Scheduler) -> Self {
        Self { meter, scheduler, timer: None }
    }

    /// Gives the limit that a call has gone beyond, once one has. Polled after each turn of the replica's.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<LimitHit> {
        loop {
            match &mut self.timer {
                Some(timer) => {
                    ready!(timer.as_mut().poll(cx));
                    self.timer = None;
                    if let Err(hit) = self.meter.overdue() {
                        return Poll::Ready(hit);
                    }
                }
                None => match self.meter.left() {
                    Some(left) => self.timer = Some(self.scheduler.sleep(left.max(super::EPOCH_TICK))),
                    None => return Poll::Pending,
                },
            }
        }
    }
}
