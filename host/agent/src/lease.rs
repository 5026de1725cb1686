//! One lease: a run of one launcher on this host, until it is over.

mod copies;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lp_base::plan::{ComponentFiles, NodeId, NodePlan, Plan};
use lp_base::replica::Stop;
use lp_base::scheduler::Scheduler;
use lp_base::words::Digest;
use lp_remote::body::{Lines, Sender};
use lp_remote::protocol::{Answer, LeaseRequest, Preparation, Prepared, Purpose, Renewal};
use lp_run::launch::{ProcessOptions, RunDir, WorkerFiles, compile_missing, with_causes};
use lp_run::worker::{Compiling, replaced};
use tokio::sync::mpsc;

use self::copies::Copies;
use self::workers::Running;
use crate::agent::{Agent, Note};

/// How many times a lease is renewed in its time: so many answers may be late.
const RENEWALS: u32 = 6;

/// Why what was rebuilt can't be run here.
const NOT_COPIED: &str = "a component can't be copied to where the workers of the run may read it";

/// A run on this host.
pub(crate) struct Lease {
    pub(crate) agent: Arc<Agent>,
    pub(crate) run: String,
    pub(crate) dir: RunDir,
    /// How other hosts reach this one.
    pub(crate) advertised: String,
    /// What workers run that are started from here on.
    plan: Mutex<Arc<Plan>>,
    copies: Copies,
    length: Duration,
    /// What workers read: until when it holds.
    pub(crate) file: File,
    pub(crate) state: Mutex<State>,
    /// Why it is to end, once it is.
    ending: (Stop, Mutex<String>),
    /// Whether it has.
    over: Stop,
}

/// What is there.
#[derive(Default)]
pub(crate) struct State {
    /// The workers that run, by their index.
    pub running: BTreeMap<usize, Running>,
    /// The sockets of nodes that listen, which all their replicas here share.
    pub listening: BTreeMap<NodeId, TcpListener>,
    /// The number of the next life of a worker.
    pub next_life: u64,
}

impl Lease {
    /// A lease that begins now.
    ///
    /// # Errors
    /// If it has no folder.
    pub fn new(agent: Arc<Agent>, request: LeaseRequest, advertised: String) -> io::Result<Self> {
        let LeaseRequest { run, mut plan, workers: _, lease_ms } = request;
        plan.follow_links();
        let dir = agent.options.leases.add(&plan.program, agent.scheduler()).map_err(io::Error::other)?;
        let file = File::options().read(true).write(true).create_new(true).open(dir.path().join("lease"))?;
        let length = Duration::from_millis(lease_ms);
        let lease = Self {
            run,
            advertised,
            copies: Copies::new(WorkerFiles::of(dir.path()).components(), plan.watched)?,
            dir,
            plan: Mutex::new(Arc::new(plan)),
            length,
            file,
            state: Mutex::default(),
            ending: (Stop::default(), Mutex::default()),
            over: Stop::default(),
            agent,
        };
        lease.prolong(lease.scheduler().boot_time())?;
        lease.write_plan()?;
        Ok(lease)
    }

    pub fn scheduler(&self) -> &Scheduler {
        self.agent.scheduler()
    }

    pub fn plan(&self) -> Arc<Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether workers may be started.
    pub fn holds(&self) -> bool {
        !self.ending.0.is_requested()
    }

    /// Has it end.
    pub fn end(&self, reason: &str) {
        let mut told = self.ending.1.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.ending.0.is_requested() {
            reason.clone_into(&mut told);
            self.ending.0.request();
        }
    }

    /// Waits until it has ended, with all its workers.
    pub async fn ended(&self) {
        self.over.requested().await;
    }

    /// It holds for its length from that moment on.
    fn prolong(&self, from: Duration) -> io::Result<()> {
        let until = u64::try_from((from + self.length).as_millis()).unwrap_or(u64::MAX);
        self.file.write_all_at(&until.to_le_bytes(), 0)
    }

    fn files(&self) -> WorkerFiles {
        WorkerFiles::of(self.dir.path())
    }

    /// Where the components of the plan are, or would be.
    fn components(&self, plan: &Plan) -> ComponentFiles {
        let digests = plan.nodes.iter().filter_map(|node| node.sha256());
        digests.map(|digest| (digest, self.agent.store.file(digest))).collect()
    }

    fn write_plan(&self) -> io::Result<()> {
        let plan = self.plan();
        self.files().write_plan(&plan, &self.components(&plan))
    }

    /// The plan with these nodes as they are now. They may do no more than before.
    fn with(&self, rebuilt: Vec<(NodeId, NodePlan)>) -> Result<Plan, String> {
        let mut plan = Plan::clone(&self.plan());
        if !rebuilt.is_empty() && !plan.watched {
            return Err("nodes were rebuilt, and the plan of this lease says that none is".to_owned());
        }
        for (NodeId(index), node) in rebuilt {
            let own = plan.nodes.get_mut(index as usize).ok_or("there is no such node")?;
            *own = replaced(own, node).map_err(|error| with_causes(&error))?;
        }
        Ok(plan)
    }

    /// Sees to it that these workers can be started, or can run what was rebuilt: tells `sender` what is compiled, and returns
    /// which components are not there.
    ///
    /// # Errors
    /// What can't be had, with its mend.
    pub async fn prepare(&self, preparation: Preparation, sender: &Sender) -> Result<Vec<Digest>, String> {
        let Preparation { workers, rebuilt, purpose } = preparation;
        let changed: BTreeSet<_> = rebuilt.iter().map(|(id, _)| *id).collect();
        let plan = self.with(rebuilt)?;
        let nodes = nodes_of(&plan, &workers);
        let missing = self.check((&workers, &nodes), &plan, sender).await?;
        if !missing.is_empty() {
            return Ok(missing);
        }
        match purpose {
            Purpose::Rebuild => {
                // Those of nodes that run elsewhere may not be here.
                let digests = nodes.intersection(&changed).filter_map(|&node| plan.node(node).sha256());
                let files = digests.map(|digest| (digest, self.agent.store.file(digest))).collect();
                self.copies.take(files, self.scheduler()).await.map_err(|error| format!("{NOT_COPIED}: {error}"))?;
            }
            Purpose::Start if plan != *self.plan() => {
                *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
                self.write_plan().map_err(|error| format!("the plan can't be written: {error}"))?;
            }
            Purpose::Start => {}
        }
        Ok(Vec::new())
    }

    /// Asks whether these workers of `plan` may have what they are granted, and has their components compiled, if they are there.
    async fn check(
        &self,
        (workers, nodes): (&[usize], &BTreeSet<NodeId>),
        plan: &Plan,
        sender: &Sender,
    ) -> Result<Vec<Digest>, String> {
        let refusals: BTreeSet<_> =
            workers.iter().flat_map(|&worker| self.agent.options.ceilings.refusals(plan, worker)).collect();
        if !refusals.is_empty() {
            return Err(refusals.into_iter().collect::<Vec<_>>().join("\n"));
        }
        // Those that are to start: what runs of them has its share.
        let running: Vec<_> = self.state().running.keys().copied().collect();
        let starting: Vec<_> = workers.iter().copied().filter(|worker| !running.contains(worker)).collect();
        drop(self.agent.totals.workers(plan, &starting)?);
        let asked: Vec<_> = nodes.iter().copied().collect();
        (self.agent.options.secrets)(plan, &asked)?;
        let digests: BTreeSet<_> = nodes.iter().filter_map(|&node| plan.node(node).sha256()).collect();
        let agent = self.agent.clone();
        let wanted = digests.clone();
        let missing = self
            .scheduler()
            .blocking(move || wanted.into_iter().filter(|&digest| !agent.store.has(digest)).collect::<Vec<_>>());
        let missing = missing.await;
        if !missing.is_empty() {
            return Ok(missing);
        }
        let mut small = plan.clone();
        small.nodes = nodes.iter().map(|&node| plan.node(node).clone()).collect();
        self.compile(small, sender).await?;
        Ok(Vec::new())
    }

    async fn compile(&self, plan: Plan, sender: &Sender) -> Result<(), String> {
        let dir = self.dir.path().join("compile");
        std::fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
        let setting = ProcessOptions { command: self.agent.options.command.clone(), dir };
        let components = self.components(&plan);
        let digest = |file: PathBuf| -> Option<Digest> { file.file_stem()?.to_str()?.parse().ok() };
        let (events_tx, mut events) = mpsc::unbounded_channel::<Compiling>();
        let telling = async {
            while let Some(event) = events.recv().await {
                let component = digest(event.component().to_owned());
                let told = component.and_then(|component| match event {
                    Compiling::Begun { bytes_len, .. } => Some(Prepared::Begun { component, bytes_len }),
                    Compiling::Ended { elapsed, .. } => {
                        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
                        Some(Prepared::Ended { component, elapsed_ms })
                    }
                    // It was sent here.
                    Compiling::Sending { .. } | Compiling::Sent { .. } => None,
                });
                if let Some(told) = told {
                    let _ = sender.line(&told).await;
                }
            }
        };
        let compiling = async {
            let cache = &self.agent.options.cache;
            let compiled = compile_missing(&plan, &components, cache, &setting, &events_tx, self.scheduler()).await;
            drop(events_tx);
            compiled.map_err(|error| with_causes(&error))
        };
        let (compiled, ()) = futures::join!(compiling, telling);
        compiled
    }
}

/// Keeps a lease as long as it is renewed, and ends everything that was started for it then.
pub(crate) async fn keep(lease: Arc<Lease>, mut answers: Lines, renewals: Sender) {
    let scheduler = lease.scheduler().clone();
    let mut asked: BTreeMap<u64, Duration> = BTreeMap::new();
    let mut until = scheduler.now() + lease.length;
    let mut interval = scheduler.interval(lease.length / RENEWALS);
    let mut number = 0;
    let _ = renewals.line(&Renewal::Given).await;
    let mut is_over = false;
    let reason = loop {
        tokio::select! {
            biased;
            () = lease.ending.0.requested() => {
                break lease.ending.1.lock().unwrap_or_else(PoisonError::into_inner).clone();
            }
            () = lease.agent.stop.requested() => break "the agent was stopped".to_owned(),
            () = scheduler.sleep_until(until) => break "nothing was heard of the launcher".to_owned(),
            answer = answers.next::<Answer>() => match answer {
                Ok(Some(Answer { number })) => {
                    // From the moment of the question: the launcher counts from a later one.
                    let Some(at) = asked.remove(&number) else { continue };
                    asked.retain(|&earlier, _| earlier > number);
                    let passed = scheduler.boot_time().saturating_sub(at);
                    until = scheduler.now() + lease.length.saturating_sub(passed);
                    if let Err(error) = lease.prolong(at) {
                        break format!("the lease can't be renewed: {error}");
                    }
                }
                Ok(None) => {
                    is_over = true;
                    break "the run has ended".to_owned();
                }
                Err(_) => break "its launcher is gone".to_owned(),
            },
            _ = interval.tick() => {
                number += 1;
                asked.insert(number, scheduler.boot_time());
                // Nobody waits for a launcher that does not read: the lease would not end by then.
                let sender = renewals.clone();
                scheduler.spawn(async move { drop(sender.line(&Renewal::Asked { number }).await) }).detach();
            }
        }
    };
    lease.end(&reason);
    lease.end_workers().await;
    let over = Renewal::Over { reason: reason.clone() };
    let told = renewals.line(&over);
    // A launcher that is gone needs no reason.
    let _ = scheduler.timeout(Duration::from_millis(100), told).await;
    lease.agent.note(Note::Ended { run: lease.run.clone(), reason, is_over });
    lease.over.request();
}

/// The nodes of which these workers run replicas.
fn nodes_of(plan: &Plan, workers: &[usize]) -> BTreeSet<NodeId> {
    workers.iter().flat_map(|&worker| &plan.workers[worker].replicas).map(|replica| replica.node).collect()
}
