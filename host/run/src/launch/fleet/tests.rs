//! A fleet whose workers are tasks of the test: another way to start them than forking is one [`Start`].

use std::sync::atomic::{AtomicUsize, Ordering};

use lp_base::plan::{LaunchType, NodeId, NodePlan, WorkerPlan};
use lp_base::replica::Stream;
use lp_courier::grpc::Address;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::Notify;

use super::*;
use crate::fixture;
use crate::launch::protocol::{Command, Report};

/// A program of nodes `a`, `b` and `c`, each with a worker, of which `a` may call `b`.
fn plan() -> Plan {
    let caller = NodePlan { callees: [NodeId(1)].into(), ..fixture::node("a") };
    let worker = |id| WorkerPlan { name: format!("w{id}"), replicas: vec![replica(id)], group: None };
    let plan = fixture::plan(vec![caller, fixture::node("b"), fixture::node("c")]);
    Plan { launch_type: LaunchType::Processes, workers: [0, 1, 2].map(worker).into(), ..plan }
}

fn replica(node: u32) -> ReplicaId {
    ReplicaId { node: NodeId(node), index: 0 }
}

/// Workers that are tasks. Each says that it is loaded, starts what it is told to, and notes its orders.
#[derive(Clone, Default)]
struct Tasks {
    orders: Arc<Mutex<Vec<(usize, Order)>>>,
    /// How many workers were started.
    started: Arc<AtomicUsize>,
    /// Notified at the end of each.
    ends: Arc<Mutex<Vec<Arc<Notify>>>>,
}

struct Task(Arc<Notify>, Arc<Mutex<bool>>);

impl Life for Task {
    fn place(&self) -> Place {
        Place::Process(0)
    }

    fn kill(&mut self) {
        self.0.notify_one();
    }

    fn ended(&mut self) -> Option<String> {
        self.1.lock().expect("no test panics with it").then(|| "it was killed".to_owned())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Start for Tasks {
    fn start(&self, index: usize) -> std::io::Result<Started> {
        self.started.fetch_add(1, Ordering::Relaxed);
        let (commands, own_commands) = tokio::io::duplex(1024);
        let (own_reports, reports) = tokio::io::duplex(1024);
        let task = Task(Arc::default(), Arc::default());
        let (killed, ended, orders) = (task.0.clone(), task.1.clone(), self.orders.clone());
        let end = Arc::new(Notify::new());
        self.ends.lock().expect("no test panics with it").push(end.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = killed.notified() => {}
                () = work(index, own_commands, own_reports, orders) => {}
            }
            *ended.lock().expect("no test panics with it") = true;
            end.notify_one();
        });
        Ok(Started { commands: Box::new(commands), reports: Box::new(reports), life: Box::new(task) })
    }

    fn address(&self, _: usize) -> Option<Address> {
        None
    }
}

async fn work(
    index: usize,
    commands: DuplexStream,
    mut reports: DuplexStream,
    orders: Arc<Mutex<Vec<(usize, Order)>>>,
) {
    let mut say = async |report: Report| {
        let line = serde_json::to_string(&report).expect("a report can be written") + "\n";
        reports.write_all(line.as_bytes()).await.expect("the fleet listens");
    };
    let mut lines = BufReader::new(commands).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line).expect("a fleet says nothing but commands") {
            Command::Credentials(_) => {
                say(Report::Loaded { hardened: Hardened::default(), warnings: vec!["all workers say so".to_owned()] })
                    .await;
            }
            Command::TellStats => say(Report::StatsTold).await,
            Command::Order { order } => {
                orders.lock().expect("no test panics with it").push((index, order.clone()));
                if let Order::Replica { replica, order: ReplicaOrder::Start } = order {
                    let line = format!("hello of {index}");
                    say(Report::Line { replica: format!("w{index}"), stream: Stream::Stdout, line }).await;
                    say(Report::Node { replica, change: Change::Started }).await;
                }
            }
            Command::Secrets { .. } | Command::TellBlocked { .. } | Command::TellStanding { .. } => {}
        }
    }
}

async fn launch(tasks: &Tasks) -> (Fleet, mpsc::UnboundedReceiver<NodeEvent>, Arc<Mutex<Vec<String>>>) {
    let (plan, lines) = (Arc::new(plan()), Arc::new(Mutex::new(Vec::new())));
    let written = lines.clone();
    let outputs = move |_: &str, _: Stream, line: &[u8]| {
        written.lock().expect("no test panics with it").push(String::from_utf8_lossy(line).into_owned());
    };
    let credentials = Arc::new(Credentials::random(&plan, &Scheduler::default()).expect("the system has randomness"));
    let private = Private { secrets: Secrets::default(), credentials };
    let (events_tx, events) = mpsc::unbounded_channel();
    let start = Box::new(tasks.clone());
    let fleet =
        Fleet::launch(plan, start, private, Arc::new(outputs), Stop::default(), events_tx, Scheduler::default()).await;
    (fleet.expect("it can be launched"), events, lines)
}

/// Waits until every worker has taken what it was told before.
async fn settled(fleet: &Fleet) {
    fleet.refresh_stats().await;
}

#[tokio::test]
async fn workers_that_are_no_processes_are_a_fleet_too() {
    let tasks = Tasks::default();
    let (mut fleet, mut events, lines) = launch(&tasks).await;
    assert_eq!(fleet.warnings(), ["all workers say so"], "what all say is shown once");
    for _ in 0..3 {
        let event = events.recv().await.expect("the fleet lives");
        assert!(matches!(event.change, Change::Started));
        let line = format!("hello of {}", event.replica.node.0);
        assert!(lines.lock().unwrap().contains(&line), "what a replica wrote is there before its event");
    }
    settled(&fleet).await;
    tasks.orders.lock().unwrap().clear();
    fleet.order(ReplicaOrder::Stop.to(replica(2)));
    fleet.order(ReplicaOrder::Close.to(replica(1)));
    fleet.order(Order::Close);
    settled(&fleet).await;
    let mut orders = tasks.orders.lock().unwrap().clone();
    orders.sort_by_key(|(index, _)| *index);
    let gone = Order::Presence { replica: replica(1), presence: Presence::Gone };
    let expected = [
        // Only who may call the replica hears of it.
        (0, gone),
        (0, Order::Close),
        (1, ReplicaOrder::Close.to(replica(1))),
        (1, Order::Close),
        (2, ReplicaOrder::Stop.to(replica(2))),
        (2, Order::Close),
    ];
    assert_eq!(orders, expected);
    fleet.kill().await;
}

#[tokio::test]
async fn a_worker_that_ends_fails_its_replicas_and_starts_again_with_them() {
    let tasks = Tasks::default();
    let (mut fleet, mut events, _) = launch(&tasks).await;
    for _ in 0..3 {
        events.recv().await.expect("the fleet lives");
    }
    fleet.shared.lock().running.get_mut(&1).expect("it runs").life.kill();
    let event = events.recv().await.expect("the fleet lives");
    let Change::Failed { failure, .. } = event.change else { panic!("{:?}", event.change) };
    assert_eq!((event.replica, failure.summary.as_str()), (replica(1), "it was killed"));
    fleet.order(ReplicaOrder::Start.to(replica(1)));
    let event = events.recv().await.expect("the fleet lives");
    assert!(matches!(event.change, Change::Started) && event.replica == replica(1));
    assert_eq!(tasks.started.load(Ordering::Relaxed), 4);
    fleet.kill().await;
}

#[tokio::test]
async fn a_fleet_that_is_dropped_leaves_no_worker_behind() {
    let tasks = Tasks::default();
    let (fleet, _events, _) = launch(&tasks).await;
    drop(fleet);
    let ends = tasks.ends.lock().expect("no test panics with it").clone();
    assert_eq!(ends.len(), 3);
    for ended in ends {
        ended.notified().await;
    }
}
