//! The workers of a lease: processes that are started, spoken with, and ended.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use hyper::body::Incoming;
use lp_base::plan::{NodeId, Plan};
use lp_remote::body::{self, Sender};
use lp_remote::protocol::{END_FIELD, WorkerPlace};
use lp_run::launch::{Life, ProcessOptions, Started, WorkerFiles, secrets_command};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::Lease;
use crate::ceilings::Share;

/// How often a process that is to end is asked whether it has.
const END_INTERVAL: Duration = Duration::from_millis(1);

/// A worker that runs.
pub(crate) struct Running {
    life: Box<dyn Life>,
    /// Which life of it this is.
    number: u64,
    _share: Share,
}

impl Lease {
    /// Starts a worker. One of that index that still runs is ended first.
    ///
    /// # Errors
    /// If it can't be started here, with its mend.
    pub async fn start(
        self: &Arc<Self>,
        index: usize,
        commands: Incoming,
        reports: Sender,
    ) -> Result<WorkerPlace, String> {
        let plan = self.plan();
        if index >= plan.workers.len() {
            return Err("there is no such worker".to_owned());
        }
        let refusals = self.agent.options.ceilings.refusals(&plan, index);
        if !refusals.is_empty() {
            return Err(refusals.join("\n"));
        }
        self.kill(index).await;
        let share = self.agent.totals.workers(&plan, &[index])?;
        let nodes: BTreeSet<_> = plan.workers[index].replicas.iter().map(|replica| replica.node).collect();
        let nodes: Vec<_> = nodes.into_iter().collect();
        let secrets = (self.agent.options.secrets)(&plan, &nodes)?;
        let (sockets, place) = self.sockets(&plan, index)?;
        let setting = ProcessOptions { command: self.agent.options.command.clone(), dir: self.dir.path().to_owned() };
        let failed = |error: io::Error| format!("`{}` can't be started: {error}", plan.workers[index].name);
        // A lease that has ended meanwhile starts nothing: this is not interrupted from here on.
        if !self.holds() {
            return Err("the lease has ended".to_owned());
        }
        let started = setting.start_worker(index, sockets).map_err(failed)?;
        let Started { commands: sink, reports: source, life, .. } = started;
        let process = life.place().map_or(0, |place| place.process);
        let mut state = self.state();
        let number = state.next_life;
        state.next_life += 1;
        state.running.insert(index, Running { life, number, _share: share });
        drop(state);
        let first = secrets_command(secrets);
        self.scheduler().spawn(feed(first, commands, sink)).detach();
        self.scheduler().spawn(self.clone().listen(index, number, source, reports)).detach();
        Ok(WorkerPlace { process, ..place })
    }

    /// The files that a worker gets: where it listens for others, where its nodes listen for anybody, and its lease.
    fn sockets(&self, plan: &Plan, index: usize) -> Result<(Vec<OwnedFd>, WorkerPlace), String> {
        let own = self.bind().map_err(|error| format!("there is no port for workers: {error}"))?;
        let port = own.local_addr().map_err(|error| error.to_string())?.port();
        let mut sockets: Vec<OwnedFd> = vec![own.into()];
        let mut listening = BTreeMap::new();
        let mut state = self.state();
        for node in WorkerFiles::listening(plan, index) {
            let NodeId(number) = node;
            let (address, name) = (plan.node(node).listen, &plan.node(node).name);
            let Some(address) = address else { continue };
            let listener = match state.listening.entry(node) {
                Entry::Occupied(bound) => bound.into_mut(),
                Entry::Vacant(free) => {
                    let bound = TcpListener::bind(address);
                    free.insert(bound.map_err(|error| format!("`{name}` can't listen at {address}: {error}"))?)
                }
            };
            let told = listener.local_addr().map_err(|error| error.to_string())?;
            listening.insert(number, told.to_string());
            sockets.push(listener.try_clone().map_err(|error| error.to_string())?.into());
        }
        sockets.push(self.file.try_clone().map_err(|error| error.to_string())?.into());
        let address = match self.advertised.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, port).to_string(),
            Err(_) => format!("{}:{port}", self.advertised),
        };
        Ok((sockets, WorkerPlace { address, process: 0, listening }))
    }

    fn bind(&self) -> io::Result<TcpListener> {
        let address = self.agent.options.bind;
        let Some(ports) = &self.agent.options.ports else { return TcpListener::bind((address, 0)) };
        let mut last = io::Error::other("the range of ports is empty");
        for port in ports.clone() {
            match TcpListener::bind((address, port)) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Passes on what a worker reports, until its end, which is told last.
    async fn listen(
        self: Arc<Self>,
        index: usize,
        number: u64,
        mut source: Box<dyn AsyncRead + Send + Unpin>,
        reports: Sender,
    ) {
        let passed = tokio::select! {
            biased;
            passed = reports.all(&mut source) => passed,
            () = reports.closed() => Err(io::ErrorKind::BrokenPipe.into()),
        };
        if passed.is_err() {
            self.kill_life(index, number);
        }
        let how = self.end_of(index, number).await;
        let told = HeaderValue::from_str(&how).unwrap_or(HeaderValue::from_static("its worker process is gone"));
        let _ = reports.trailers(HeaderMap::from_iter([(END_FIELD, told)])).await;
    }

    /// Waits until that life of a worker has ended, and forgets it.
    async fn end_of(&self, index: usize, number: u64) -> String {
        loop {
            {
                let mut state = self.state();
                let running = state.running.get_mut(&index).filter(|running| running.number == number);
                let Some(running) = running else { return "its worker process was ended".to_owned() };
                if let Some(how) = running.life.ended() {
                    state.running.remove(&index);
                    return how;
                }
            }
            self.scheduler().sleep(END_INTERVAL).await;
        }
    }

    fn kill_life(&self, index: usize, number: u64) {
        if let Some(running) = self.state().running.get_mut(&index).filter(|running| running.number == number) {
            running.life.kill();
        }
    }

    /// Ends a worker at once, if it runs.
    pub async fn kill(&self, index: usize) {
        let number = {
            let mut state = self.state();
            let Some(running) = state.running.get_mut(&index) else { return };
            running.life.kill();
            running.number
        };
        self.end_of(index, number).await;
    }

    /// Ends all workers at once.
    pub async fn end_workers(&self) {
        let indices: Vec<_> = {
            let mut state = self.state();
            state.running.values_mut().for_each(|running| running.life.kill());
            state.running.keys().copied().collect()
        };
        for index in indices {
            self.kill(index).await;
        }
    }
}

/// Writes the first command of a worker, and those that come from its launcher, until their end.
async fn feed(first: Vec<u8>, mut commands: Incoming, mut sink: Box<dyn AsyncWrite + Send + Unpin>) {
    // A worker that is gone needs no commands, and says so elsewhere.
    if sink.write_all(&first).await.is_ok() {
        let _ = body::copy(&mut commands, &mut sink).await;
    }
    let _ = sink.shutdown().await;
}
