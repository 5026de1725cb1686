//! The workers of a run, however they were started: orders to them, presence of their replicas, figures, rings, output.
//!
//! What a launch type adds is a [`Start`]: how one worker comes to run, and how it is ended.

mod reports;
mod routes;
mod shared;
mod start;
mod state;

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use lp_base::plan::{Plan, ReplicaId, Secrets};
use lp_base::replica::{Failure, Outputs, Stop};
use lp_base::scheduler::Scheduler;
use lp_courier::Presence;
use lp_trust::RunAuthority;
use routes::Routes;
use shared::Shared;
pub use start::{Life, Place, Rebuilt, Start, Started};
use state::{Running, State};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::OutsideCall;
use super::credentials::Credentials;
use super::hardening::Hardened;
use super::rings::Rings;
use super::standstills::Standstills;
use crate::node::{Change, NodeEvent};
use crate::worker::{Caller, Order, ReplicaOrder, ReplicaStats, WorkerError};

/// How long workers have to end by themselves once they have nothing left to do.
const EXIT_TIME: Duration = Duration::from_millis(500);

/// How often workers that are to end are asked whether they have.
const EXIT_INTERVAL: Duration = Duration::from_millis(2);

/// How long workers have to tell what their replicas have done.
const STATS_TIME: Duration = Duration::from_millis(250);

/// Secrets of a run, which workers get through their commands and no file may hold.
pub struct Private {
    /// What the guests are given that the plan does not say; `None` where hosts have secrets of their own.
    pub secrets: Option<Secrets>,
    /// By what the nodes of different workers know each other.
    pub credentials: Arc<Credentials>,
    /// By which workers of different hosts know each other.
    pub authority: Option<Arc<RunAuthority>>,
}

/// The workers of a program that do not run in the launcher.
pub struct Fleet {
    shared: Arc<Shared>,
    /// Each worker has two: one writes commands, one takes reports.
    tasks: JoinSet<()>,
    warnings: Vec<String>,
}

impl Fleet {
    /// Starts every worker of `plan` by `start`, and every replica in them.
    ///
    /// # Errors
    /// If a worker can't be started, or can't run its replicas.
    pub async fn launch(
        plan: Arc<Plan>,
        start: Box<dyn Start>,
        private: Private,
        outputs: Arc<dyn Outputs>,
        stop: Stop,
        events: mpsc::UnboundedSender<NodeEvent>,
        scheduler: Scheduler,
    ) -> Result<Self, WorkerError> {
        let routes = Routes::new(&plan);
        let workers: Vec<_> = plan.replicas().map(|replica| routes.worker_of(replica).unwrap_or_default()).collect();
        let state = Mutex::new(State::new(Rings::new(workers.clone()), Standstills::new(workers)));
        let room = outputs.room();
        let shared = Arc::new(Shared { plan, routes, start, private, outputs, events, stop, state, scheduler });
        let mut fleet = Self { shared, tasks: JoinSet::new(), warnings: Vec::new() };
        let shared = fleet.shared.clone();
        let mut first_words = Vec::new();
        for (index, worker) in shared.plan.workers.iter().enumerate() {
            first_words.push(shared.start(index, &mut fleet.tasks)?);
            worker.replicas.iter().for_each(|&replica| shared.lock().start(index, replica));
        }
        let stopping = shared.clone();
        shared.scheduler.spawn_in(&mut fleet.tasks, async move {
            stopping.stop.requested().await;
            stopping.lock().order_all(Order::Stop);
        });
        let holding = shared.clone();
        shared.scheduler.spawn_in(&mut fleet.tasks, async move {
            let Some(room) = room else { return };
            for held in [true, false].into_iter().cycle() {
                room.until(!held).await;
                holding.lock().hold_output(held);
            }
        });
        for (index, first_word) in first_words.into_iter().enumerate() {
            // A worker that ended before it said anything is a failure of its replicas like any later end.
            match first_word.await.unwrap_or(Ok(Vec::new())) {
                Ok(warnings) => fleet.warn(warnings),
                Err(message) => {
                    fleet.end(ready(())).await;
                    let name = shared.plan.workers[index].name.clone();
                    return Err(WorkerError::NotLoaded { name, message });
                }
            }
        }
        Ok(fleet)
    }

    /// Notes warnings; what is true of the machine, every worker says.
    fn warn(&mut self, warnings: Vec<String>) {
        for warning in warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    /// Messages for the user about how the workers run.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Where a replica runs now.
    pub fn place(&self, replica: ReplicaId) -> Option<Place> {
        let index = self.shared.routes.worker_of(replica)?;
        self.shared.lock().running.get(&index).and_then(|worker| worker.life.place())
    }

    /// The host of a replica, also when it has ended.
    pub fn host(&self, replica: ReplicaId) -> Option<String> {
        self.shared.start.host(self.shared.routes.worker_of(replica)?)
    }

    /// The walls around the worker of a replica.
    pub fn hardened(&self, replica: ReplicaId) -> Option<Hardened> {
        let index = self.shared.routes.worker_of(replica)?;
        self.shared.lock().hardened.get(&index).cloned()
    }

    /// Makes a call by whoever runs the program.
    pub fn call(&self, call: OutsideCall) -> BoxFuture<'static, ()> {
        let Shared { plan, routes, start, private, scheduler, .. } = &*self.shared;
        let address = routes.worker_of(call.callee).and_then(|index| start.address(index));
        let credential = private.credentials.of(Caller::User, call.callee.node).cloned();
        let (Some(address), Some(credential)) = (address, credential) else { return call.refuse() };
        let message_bytes_max = usize::try_from(plan.message_bytes_max).unwrap_or(usize::MAX);
        let label = plan.label(call.callee);
        call.through(address, label, credential, message_bytes_max, scheduler.clone())
    }

    /// Sees to it that nodes can be rebuilt.
    pub fn prepare(&self, rebuilt: Rebuilt) -> BoxFuture<'static, Result<(), WorkerError>> {
        self.shared.start.prepare(rebuilt)
    }

    /// Passes an order on to the workers that it is for.
    pub fn order(&mut self, order: Order) {
        match order {
            Order::Replica { replica, order } => self.order_replica(replica, order),
            Order::Rebuild { nodes, components } => {
                let rebuilt = (nodes, components);
                // Before the lock: a worker that is started meanwhile runs them at once, and obeys the order for nothing.
                self.shared.start.rebuilt(&rebuilt);
                let (nodes, components) = rebuilt;
                let mut state = self.shared.lock();
                let rebuilt = |id: ReplicaId| nodes.iter().any(|(node, _)| *node == id.node);
                for replica in self.shared.plan.replicas().filter(|&id| rebuilt(id)) {
                    self.shared.set_presence(&mut state, replica, Presence::Starting);
                }
                state.order_all(Order::Rebuild { nodes, components });
            }
            order => self.shared.lock().order_all(order),
        }
    }

    fn order_replica(&mut self, replica: ReplicaId, order: ReplicaOrder) {
        let Some(index) = self.shared.routes.worker_of(replica) else { return };
        let shared = self.shared.clone();
        match order {
            ReplicaOrder::Start => return self.start(index, replica),
            ReplicaOrder::Kill => kill_replica(&mut shared.lock(), index, replica),
            order => {
                if let Some(worker) = shared.lock().running.get(&index) {
                    worker.order(order.to(replica));
                }
            }
        }
        let presence = match order {
            ReplicaOrder::Kill | ReplicaOrder::Close => Presence::Gone,
            ReplicaOrder::Drop => Presence::Starting,
            ReplicaOrder::Start | ReplicaOrder::Stop | ReplicaOrder::Pause => return,
        };
        shared.note_presence(&mut shared.lock(), replica, presence);
    }

    /// Starts a replica in its worker, which is started first if it does not run.
    fn start(&mut self, index: usize, replica: ReplicaId) {
        // What is left of earlier workers would pile up.
        while self.tasks.try_join_next().is_some() {}
        let runs = self.shared.lock().running.contains_key(&index);
        if !runs && let Err(error) = self.shared.start(index, &mut self.tasks) {
            let summary = format!("its worker process can't be started: {}", super::with_causes(&error));
            let change = Change::Failed { failure: Failure { summary, stack: None }, memory_peak: 0 };
            self.shared.report(NodeEvent { replica, change });
            return;
        }
        self.shared.lock().start(index, replica);
    }

    /// Waits until [`Self::stats`] is of this moment. A worker that is stopped is not waited for.
    pub fn refresh_stats(&self) -> impl Future<Output = ()> + use<> {
        let (all_told, scheduler) = (self.shared.lock().ask_stats(), self.shared.scheduler.clone());
        async move {
            let _ = scheduler.timeout(STATS_TIME, all_told).await;
        }
    }

    /// The figures of `replica` so far, over all lives of its worker.
    pub fn stats(&self, replica: ReplicaId) -> Option<ReplicaStats> {
        let state = self.shared.lock();
        let earlier = state.earlier.get(&replica);
        match state.latest.get(&replica) {
            Some(latest) => Some(latest.added_to(earlier)),
            None => earlier.cloned(),
        }
    }

    /// Ends the workers: those that have nothing left to do by themselves, which may wait for clients until `patience` is over,
    /// the others at once.
    pub async fn end(&mut self, patience: impl Future<Output = ()>) {
        // Whatever becomes of a worker that is not among the running ones counts no more.
        let workers: Vec<Running> = self.shared.lock().running.drain().map(|(_, worker)| worker).collect();
        let mut lives = Vec::new();
        for Running { commands, mut life, replicas, refusal: _ } in workers {
            // The end of its commands tells a worker to end, which one that runs no guest does.
            drop(commands);
            if !replicas.is_empty() {
                life.kill();
            }
            lives.push(life);
        }
        let scheduler = &self.shared.scheduler;
        let all_end = async {
            while lives.iter_mut().any(|life| life.ended().is_none()) {
                scheduler.sleep(EXIT_INTERVAL).await;
            }
        };
        let too_late = async {
            patience.await;
            scheduler.sleep(EXIT_TIME).await;
        };
        tokio::select! {
            biased;
            () = all_end => {}
            () = too_late => {}
        }
        lives.iter_mut().for_each(|life| life.kill());
        self.shared.start.end().await;
    }
}

impl Drop for Fleet {
    /// A launch that is given up, or a run whose future is dropped, leaves no worker behind.
    fn drop(&mut self) {
        self.shared.lock().running.clear();
    }
}

/// Drops a replica wherever its guest is. One that has a worker to itself goes with it.
fn kill_replica(state: &mut State, index: usize, replica: ReplicaId) {
    let Some(worker) = state.running.get_mut(&index) else { return };
    worker.replicas.remove(&replica);
    match worker.replicas.is_empty() {
        true => worker.life.kill(),
        false => worker.order(ReplicaOrder::Kill.to(replica)),
    }
}

#[cfg(test)]
mod tests;
