//! Nodes of a watched program that were rebuilt: what is asked before they are replaced, and what replaces them when.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;

use futures::future::BoxFuture;
use lp_base::plan::{ComponentFiles, NodeId, NodePlan, Plan};
use tokio::sync::oneshot;

use super::state::{Event, Supervision};
use super::status::{Starts, replica_statuses};
use super::{Live, Note, Run, Signal};
use crate::launch::with_causes;
use crate::worker::{Order, WorkerError};

/// A plan with other components than the one that runs.
#[derive(Debug, Clone)]
pub struct Rebuilt {
    /// The plan.
    pub plan: Plan,
    /// Where its components are.
    pub components: ComponentFiles,
}

/// What is to run from now on.
#[derive(Debug)]
pub struct Rebuild {
    /// The plan and its components.
    pub rebuilt: Rebuilt,
    /// Told whether it will run, or why the machines of the program can't run it. Nobody has to listen.
    pub taken: oneshot::Sender<Result<(), WorkerError>>,
}

/// A rebuild that other machines get ready for.
pub(super) struct Preparing {
    rebuilt: Rebuilt,
    /// The nodes that differ from those that run.
    nodes: BTreeSet<NodeId>,
    taken: oneshot::Sender<Result<(), WorkerError>>,
    ready: BoxFuture<'static, Result<(), WorkerError>>,
}

/// Waits until a rebuild can begin, or can't.
pub(super) async fn prepared(preparing: &mut Option<Preparing>) -> Result<(), WorkerError> {
    match preparing {
        Some(preparing) => (&mut preparing.ready).await,
        None => pending().await,
    }
}

impl Live {
    /// Whether another rebuild can be prepared.
    pub(super) fn takes_rebuilds(&self) -> bool {
        self.preparing.is_none() && self.supervision.takes_rebuilds()
    }
}

impl Run<'_> {
    /// Begins to see to it that what was rebuilt can run.
    pub(super) fn prepare(&self, live: &Live, Rebuild { rebuilt, taken }: Rebuild) -> Preparing {
        let Rebuilt { plan, components } = rebuilt;
        let (plan, nodes) = self.plan.rebuilt(plan);
        let ready = live.workers.prepare((of_plan(&plan, &nodes), components.clone()));
        Preparing { rebuilt: Rebuilt { plan, components }, nodes, taken, ready }
    }

    /// Takes note of what is to run in place of the plan, and tells which nodes that concerns. `None` if it can't.
    pub(super) fn prepared(&mut self, live: &mut Live, outcome: Result<(), WorkerError>) -> Option<Event> {
        let Preparing { rebuilt, nodes, taken, .. } = live.preparing.take()?;
        let can = outcome.is_ok();
        // Whoever built it shows why it can't.
        let _ = taken.send(outcome);
        if !can {
            return None;
        }
        self.note_rebuilt(&rebuilt.plan, &nodes);
        let event = Event::Rebuilt(nodes.iter().map(|&node| (node, rebuilt.plan.node(node).has_run())).collect());
        live.next = Some((rebuilt, nodes));
        Some(event)
    }

    /// Puts what was rebuilt in the place of what has ended.
    pub(super) fn replace(&mut self, live: &mut Live) {
        let (Rebuilt { plan, components }, nodes) = live.next.take().expect("a rebuild has a plan");
        let nodes = of_plan(&plan, &nodes);
        let noted = self.setting.launching.note_plan(&plan, &components);
        match noted.and_then(|()| live.workers.order(Order::Rebuild { nodes, components })) {
            Ok(()) => self.plan = Arc::new(plan),
            Err(error) => self.observer.note(&Note::NotRebuilt { error: with_causes(&error) }),
        }
    }

    /// Has the next launch run what was rebuilt and did not come to run in this one.
    pub(super) fn take_rebuilt(&mut self, live: &mut Live) {
        let preparing = live.preparing.take().map(|Preparing { rebuilt, taken, .. }| {
            // The launch gets ready for it.
            let _ = taken.send(Ok(()));
            rebuilt
        });
        if let Some(next) = preparing.or(live.next.take().map(|(next, _)| next)) {
            self.plan = Arc::new(next.plan);
            self.setting.launching.components = next.components;
        }
    }

    fn note_rebuilt(&mut self, plan: &Plan, nodes: &BTreeSet<NodeId>) {
        nodes.iter().for_each(|&node| self.observer.note(&Note::Rebuilt { node: plan.node(node).name.clone() }));
    }

    /// Waits until a node is rebuilt; a signal ends the wait.
    pub(super) async fn wait_for_rebuild(&mut self) -> Option<Signal> {
        let supervision = Supervision::ended(&self.plan);
        loop {
            tokio::select! {
                biased;
                Some(signal) = self.setting.signals.recv() => return Some(signal),
                Some(Rebuild { rebuilt: Rebuilt { plan, components }, taken }) = self.setting.rebuilds.recv() => {
                    let _ = taken.send(Ok(()));
                    self.setting.launching.components = components;
                    let (plan, nodes) = self.plan.rebuilt(plan);
                    self.note_rebuilt(&plan, &nodes);
                    self.plan = Arc::new(plan);
                    return None;
                }
                Some(request) = self.setting.status_requests.recv() => {
                    request.answer(replica_statuses(&self.plan, &supervision, &Starts::default(), None));
                }
            }
        }
    }
}

/// Nodes of a plan.
fn of_plan(plan: &Plan, nodes: &BTreeSet<NodeId>) -> Vec<(NodeId, NodePlan)> {
    nodes.iter().map(|&node| (node, plan.node(node).clone())).collect()
}
