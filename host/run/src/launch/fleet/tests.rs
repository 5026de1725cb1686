//! A fleet whose workers are tasks of the test: another way to start them than forking is one [`Start`].

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use lp_base::calls::ReplicaIndex;
use lp_base::plan::{LaunchType, NodeId, NodePlan, WorkerPlan};
use lp_base::replica::{LINE_BYTES_MAX, LineSource};
use lp_courier::Blocked;
use lp_courier::grpc::{Address, Stranger};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::Notify;

use super::*;
use crate::fixture;
use crate::launch::protocol::{Command, Report};

/// A program of nodes `a`, `b` and `c`, each with a worker, of which `a` may call `b`.
fn plan() -> Plan {
    let caller = NodePlan { callees: [NodeId(1)].into(), ..fixture::node("a") };
    let worker = |id| WorkerPlan { name: format!("w{id}"), replicas: vec![replica(id)], colocation: None };
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
    /// What the second worker says beside that, or somebody in its name, when it is told to stop a replica.
    forged: Arc<Mutex<String>>,
    /// Notified at the end of each.
    ends: Arc<Mutex<Vec<Arc<Notify>>>>,
}

struct Task(Arc<Notify>, Arc<Mutex<bool>>);

impl Life for Task {
    fn place(&self) -> Option<Place> {
        Some(Place::here(0))
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
        let earlier = self.started.fetch_add(1, Ordering::Relaxed);
        let (commands, own_commands) = tokio::io::duplex(1024);
        let (own_reports, reports) = tokio::io::duplex(1024);
        let task = Task(Arc::default(), Arc::default());
        let (killed, ended, tasks) = (task.0.clone(), task.1.clone(), self.clone());
        let end = Arc::new(Notify::new());
        self.ends.lock().expect("no test panics with it").push(end.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = killed.notified() => {}
                () = work(index, own_commands, own_reports, tasks) => {}
            }
            *ended.lock().expect("no test panics with it") = true;
            end.notify_one();
        });
        let located = ready(Some(format!("host-of-{index}:{earlier}"))).boxed();
        Ok(Started {
            commands: Box::new(commands),
            reports: Box::new(reports),
            life: Box::new(task),
            located: Some(located),
        })
    }

    fn address(&self, _: usize) -> Option<Address> {
        None
    }
}

async fn work(index: usize, commands: DuplexStream, mut reports: DuplexStream, tasks: Tasks) {
    let mut write = async |text: String| {
        // A fleet that has heard enough listens no more.
        let _ = reports.write_all(text.as_bytes()).await;
    };
    let mut lines = BufReader::new(commands).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line).expect("a fleet says nothing but commands") {
            Command::Credentials(_) => {
                let warnings = vec!["all workers say so".to_owned()];
                write(said(&Report::Loaded { hardened: Hardened::default(), warnings })).await;
            }
            Command::TellStats => write(said(&Report::StatsTold)).await,
            Command::Order { order } => {
                tasks.orders.lock().expect("no test panics with it").push((index, order.clone()));
                if let Order::Replica { replica, order: ReplicaOrder::Start } = order {
                    let (label, text) = (plan().label(replica), format!("hello of {index}"));
                    write(said(&Report::Line { replica: label, stream: LineSource::Stdout, line: text })).await;
                    write(said(&Report::Node { replica, change: Change::Started })).await;
                } else if let (1, Order::Replica { order: ReplicaOrder::Stop, .. }) = (index, order) {
                    let forged = tasks.forged.lock().expect("no test panics with it").clone();
                    write(forged).await;
                }
            }
            Command::Secrets { .. }
            | Command::TellBlocked { .. }
            | Command::TellStanding { .. }
            | Command::HoldOutput { .. } => {}
        }
    }
}

async fn launch(tasks: &Tasks) -> (Fleet, mpsc::UnboundedReceiver<NodeEvent>, Arc<Mutex<Vec<String>>>) {
    let (plan, lines) = (Arc::new(plan()), Arc::new(Mutex::new(Vec::new())));
    let written = lines.clone();
    let outputs = move |_: &str, _: LineSource, line: &[u8]| {
        written.lock().expect("no test panics with it").push(String::from_utf8_lossy(line).into_owned());
    };
    let credentials = Arc::new(Credentials::random(&plan, &Scheduler::default()).expect("the system has randomness"));
    let private = Private { secrets: Some(Secrets::default()), credentials, authority: None };
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
    fleet.end(std::future::ready(())).await;
}

#[tokio::test]
async fn the_callers_of_a_worker_are_told_where_each_of_its_lives_is() {
    let tasks = Tasks::default();
    let (mut fleet, mut events, _) = launch(&tasks).await;
    let started = async |events: &mut mpsc::UnboundedReceiver<NodeEvent>| {
        while !matches!(events.recv().await.expect("the fleet lives").change, Change::Started) {}
    };
    for _ in 0..3 {
        started(&mut events).await;
    }
    let kill = |index| fleet.shared.lock().running.get_mut(&index).expect("it runs").life.kill();
    let located = |address: Option<&str>| (0, Order::Located { worker: 1, address: address.map(str::to_owned) });
    let told = async |fleet: &Fleet| {
        settled(fleet).await;
        let orders = tasks.orders.lock().unwrap().drain(..).collect::<Vec<_>>();
        orders.into_iter().filter(|(_, order)| matches!(order, Order::Located { .. })).collect::<Vec<_>>()
    };
    assert_eq!(told(&fleet).await, [located(Some("host-of-1:1"))]);
    kill(1);
    assert!(matches!(events.recv().await.expect("the fleet lives").change, Change::Failed { .. }));
    assert_eq!(told(&fleet).await, [located(None)], "it is nowhere");
    fleet.order(ReplicaOrder::Start.to(replica(1)));
    started(&mut events).await;
    assert_eq!(told(&fleet).await, [located(Some("host-of-1:3"))]);
    let kill = |index| fleet.shared.lock().running.get_mut(&index).expect("it runs").life.kill();
    kill(0);
    assert!(matches!(events.recv().await.expect("the fleet lives").change, Change::Failed { .. }));
    fleet.order(ReplicaOrder::Start.to(replica(0)));
    started(&mut events).await;
    assert_eq!(told(&fleet).await, [located(Some("host-of-1:3"))], "one that starts is told");
    fleet.end(ready(())).await;
}

#[tokio::test]
async fn what_workers_find_on_the_network_is_shown_in_their_names() {
    let tasks = Tasks::default();
    let (mut fleet, mut events, lines) = launch(&tasks).await;
    for _ in 0..3 {
        events.recv().await.expect("the fleet lives");
    }
    settled(&fleet).await;
    let unreachable = Report::Unreachable { worker: 2, why: "no answer for 3 s".to_owned() };
    let from = "10.0.0.7:1234".parse().expect("it is an address");
    let stranger = Report::Stranger { stranger: Stranger::NoCertificate, from };
    let ended = Report::Node { replica: replica(1), change: Change::Ended { memory_peak: 0 } };
    *tasks.forged.lock().unwrap() = said(&unreachable) + &said(&stranger) + &said(&ended);
    fleet.order(ReplicaOrder::Stop.to(replica(1)));
    assert!(matches!(events.recv().await.expect("the fleet lives").change, Change::Ended { .. }));
    let shown = [
        "warning: `w1` can't reach `w2` at host-of-2:2: no answer for 3 s",
        "warning: somebody at 10.0.0.7:1234 knocked who has no certificate: it was refused; more of its kind won't \
         be reported",
    ];
    assert_eq!(lines.lock().unwrap()[3..], shown);
    fleet.end(ready(())).await;
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
    fleet.end(std::future::ready(())).await;
}

/// What somebody says in the name of the worker of `b`, and why that worker is ended for it.
#[track_caller]
fn check_forged(text: &str, reason: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("it can be made");
    runtime.block_on(async {
        let tasks = Tasks::default();
        let (mut fleet, mut events, lines) = launch(&tasks).await;
        for _ in 0..3 {
            events.recv().await.expect("the fleet lives");
        }
        *tasks.forged.lock().unwrap() = text.to_owned();
        fleet.order(ReplicaOrder::Stop.to(replica(1)));
        let event = events.recv().await.expect("the fleet lives");
        let Change::Failed { failure, .. } = event.change else { panic!("{text}: {:?}", event.change) };
        assert_eq!(event.replica, replica(1), "{text}: the worker is believed about nobody else");
        assert_eq!(failure.summary, format!("its worker process was ended: {reason}"), "{text}");
        assert_eq!(lines.lock().unwrap().len(), 3, "{text}: no line is written for others");
        assert!(!fleet.shared.stop.is_requested(), "{text}");
        fleet.end(std::future::ready(())).await;
    });
}

fn said(report: &Report) -> String {
    serde_json::to_string(report).expect("a report can be written") + "\n"
}

#[test]
fn a_worker_is_believed_no_more_than_it_can_know() {
    let others = "it reported about a replica that runs elsewhere";
    let ended = || Change::Ended { memory_peak: 0 };
    check_forged(&said(&Report::Node { replica: replica(0), change: ended() }), others);
    check_forged(&said(&Report::Node { replica: replica(7), change: ended() }), others);
    for label in ["a/0", "w1", "b/1", ""] {
        let (replica, line) = (label.to_owned(), "forged".to_owned());
        check_forged(&said(&Report::Line { replica, stream: LineSource::Host, line }), others);
    }
    let hold = |caller, callee| Blocked { caller: ReplicaIndex(caller), callee: ReplicaIndex(callee), number: 1 };
    let holds = |holds| said(&Report::Blocked { question: None, holds });
    check_forged(&holds(vec![hold(0, 1), hold(0, 2)]), others);
    check_forged(&holds(vec![hold(u32::MAX, 7)]), others);
    let loaded = Report::Loaded { hardened: Hardened::default(), warnings: Vec::new() };
    check_forged(&said(&loaded), "it reported twice that it had loaded");
    let unreachable = |worker| said(&Report::Unreachable { worker, why: "forged".to_owned() });
    check_forged(&unreachable(1), others);
    check_forged(&unreachable(3), others);
    let not_rebuilt = Report::NotRebuilt { message: "forged".to_owned() };
    check_forged(&said(&not_rebuilt), "it reported that nodes were not rebuilt, and none can be");
}

#[test]
fn a_worker_that_says_what_is_no_report_is_ended() {
    check_forged("hello\n", "it reported something that is no report");
    check_forged("{\"type\":\"line\"}\n", "it reported something that is no report");
    check_forged("\u{0}\n", "it reported something that is no report");
    let max = (1 << 20) + 3 * (16 << 10);
    check_forged(&"x".repeat(max), &format!("it reported more than {max} bytes at once"));
    check_forged(&("x".repeat(max - 1) + "\n"), "it reported something that is no report");
}

#[tokio::test]
async fn a_line_of_a_worker_is_cut_where_that_of_a_guest_is() {
    let tasks = Tasks::default();
    let (mut fleet, mut events, lines) = launch(&tasks).await;
    for _ in 0..3 {
        events.recv().await.expect("the fleet lives");
    }
    let text = "é".repeat(LINE_BYTES_MAX / 2) + "end";
    let long = Report::Line { replica: plan().label(replica(1)), stream: LineSource::Stdout, line: text };
    let ended = Report::Node { replica: replica(1), change: Change::Ended { memory_peak: 0 } };
    *tasks.forged.lock().unwrap() = said(&long) + &said(&ended);
    fleet.order(ReplicaOrder::Stop.to(replica(1)));
    assert!(matches!(events.recv().await.expect("the fleet lives").change, Change::Ended { .. }));
    let lines: Vec<usize> = lines.lock().unwrap()[3..].iter().map(String::len).collect();
    assert_eq!(lines, [LINE_BYTES_MAX, 3]);
    fleet.end(std::future::ready(())).await;
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
