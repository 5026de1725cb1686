//! Full replicas that wait for each other, in a program whose only worker is this one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lp_base::calls::ReplicaIndex;
use lp_base::scheduler::Scheduler;
use lp_courier::{Crowd, Exchange, Mailbox, Standing, StandingWatch, standstill, standstill_reason};

/// How often replicas are looked at that work on calls.
const LOOK_INTERVAL: Duration = Duration::from_millis(150);

/// What finding a standstill takes.
pub(super) struct Standstills {
    pub mailboxes: HashMap<ReplicaIndex, Arc<Mailbox>>,
    pub exchange: Arc<Exchange>,
}

impl Standstills {
    pub fn standing(&self) -> (Vec<Standing>, Vec<Crowd>) {
        (self.mailboxes.values().filter_map(|mailbox| mailbox.standing()).collect(), self.exchange.crowded())
    }

    /// Fails a call that has not begun.
    pub fn fail(&self, caller: ReplicaIndex, callee: ReplicaIndex, queued: bool, reason: &str) {
        match self.mailboxes.get(&callee).filter(|_| queued) {
            Some(mailbox) => mailbox.fail_queued(caller, reason),
            None => self.exchange.fail_crowded(caller, callee, reason),
        };
    }
}

/// Fails a call of every standstill that it finds, for as long as it is polled.
pub(super) async fn watch_standstills(standstills: Standstills, scheduler: Scheduler) {
    let mut looks = scheduler.interval(LOOK_INTERVAL);
    let mut watch = StandingWatch::default();
    loop {
        looks.tick().await;
        let (standing, crowds) = standstills.standing();
        if let Some(found) = standstill(&watch.look(standing), &crowds) {
            let label = |replica| standstills.mailboxes.get(&replica).map_or("?", |mailbox| mailbox.label()).to_owned();
            let reason = standstill_reason(&found, label);
            standstills.fail(found.call.0, found.call.1, found.queued, &reason);
        }
    }
}
