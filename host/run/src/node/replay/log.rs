//! Lines about calls that wait for long, so that no wait is silent.

use std::collections::BTreeMap;
use std::time::Duration;

use lp_base::replica::ReplicaSpec;
use lp_replay::service::{Service, Wanted};

use super::{say, shown};

/// A wait is told of when it is as old, and each time it is twice as old as when it was told of.
const FIRST: Duration = Duration::from_secs(10);

/// How often waits are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// How old each wait was when it was told of last.
#[derive(Default)]
pub(super) struct WaitLog(BTreeMap<(String, bool), Duration>);

impl WaitLog {
    /// Tells of waits for as long as it is polled.
    pub(super) async fn keep(&mut self, service: &Service, spec: &ReplicaSpec) {
        loop {
            spec.scheduler.sleep(INTERVAL).await;
            for line in self.look(service) {
                say(spec, &line);
            }
        }
    }

    fn look(&mut self, service: &Service) -> Vec<String> {
        let waits = service.waits();
        let key = |wait: &lp_replay::service::Wait| (wait.table.clone(), wait.wanted == Wanted::Insert);
        // One that has ended begins anew.
        self.0.retain(|known, told| waits.iter().any(|wait| key(wait) == *known && wait.time >= *told));
        let mut lines = Vec::new();
        for wait in waits {
            let due = self.0.get(&key(&wait)).map_or(FIRST, |told| *told * 2);
            if wait.time >= due {
                self.0.insert(key(&wait), wait.time);
                lines.push(format!("waits: {}", shown(&wait)));
            }
        }
        lines
    }
}
