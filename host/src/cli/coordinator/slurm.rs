//! The steps of a job of Slurm, which the coordinator starts in its batch step: one for each group, and one for each unit that was
//! lost since.
//!
//! That a unit is lost is known by its connection and not by `srun`, which goes on as long as others of its step do, and says
//! nothing of a machine that is gone.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures::future::join_all;
use lp_engine::directory::Directory;
use lp_engine::slurm::Step;
use lp_remote::arrivals::Arrival;
use lp_remote::key::Fingerprint;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::cli::runs::block_on;
use crate::cli::screen::{CliError, exit_code};
use crate::cli::slurm::{UNITS, commands, steps};

/// How long a unit may take from `srun` until it comes to the coordinator. One that takes longer is started on another machine.
const COME_TIME: Duration = Duration::from_secs(20);

/// How long it is before a unit that could not be started is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// How often it is looked at whether units are on machines.
const PLACED_INTERVAL: Duration = Duration::from_millis(50);

/// How many lines that `srun` prints are told of each step: they may come for each of its tasks.
const LINES_MAX: usize = 20;

/// The steps of a job, and what they need.
pub(super) struct Steps {
    steps: Vec<Step>,
    /// The machines of each part of the job; one part unless it is heterogeneous.
    machines: Vec<Vec<String>>,
    /// The folder in which units write.
    units: PathBuf,
    /// The command of a unit, without its name.
    unit: Vec<String>,
}

impl Steps {
    /// Those of the job of a directory, to which this process belongs; `None` if the directory is for another engine.
    pub(super) fn of(directory: &Directory, known: Fingerprint) -> Result<Option<Self>, CliError> {
        let failed = |error: std::io::Error| CliError::new(exit_code::NOT_LAUNCHED, error);
        let Some(steps) = steps(directory.path()).map_err(failed)? else { return Ok(None) };
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let own = std::env::current_exe().map_err(failed)?;
        let address = format!("@{}", text(&directory.address()));
        let (key, components) = (text(&directory.unit_key()), text(&directory.components()));
        let unit = [&text(&own), "unit", "--coordinator", &address, "--known", &known.to_string(), "--key", &key];
        let unit = unit.into_iter().chain(["--components", &components]).map(str::to_owned).collect();
        let parts = steps.iter().filter_map(|step| step.het_group).max();
        let lists: Vec<_> = match parts {
            None => vec!["SLURM_JOB_NODELIST".to_owned()],
            Some(last) => (0..=last).map(|part| format!("SLURM_JOB_NODELIST_HET_GROUP_{part}")).collect(),
        };
        let mut machines = Vec::new();
        for list in lists {
            let list = std::env::var(&list).map_err(|_| {
                let error = format!("`{list}` is not set: this is no batch step of Slurm");
                CliError::new(exit_code::WRONG_USAGE, error)
            })?;
            let names = block_on(commands::machines(&list))?;
            machines.push(names.map_err(|error| CliError::new(exit_code::NOT_LAUNCHED, error))?);
        }
        Ok(Some(Self { steps, machines, units: directory.path().join(UNITS), unit }))
    }

    /// The address of this machine that the others of the job reach it by: that of the interface that leads to them. A name would
    /// be an address of the loopback interface here on many machines. `None` if there are no others, or they have no names.
    pub(super) fn own_address(&self) -> Option<IpAddr> {
        let towards = |machine: &String| {
            let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
            // Nothing is sent: it only picks a way. The port is that of nobody.
            socket.connect((machine.as_str(), 9)).ok()?;
            Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback())
        };
        self.machines.iter().flatten().find_map(towards)
    }

    /// Runs them for as long as this is polled. `say` tells the user what happens.
    pub(super) async fn run(self, arrivals: BTreeMap<String, Arrival>, say: impl Fn(String)) {
        let mut rest = &self.steps[..];
        let (turns_tx, turns) = watch::channel(0);
        let mut groups = Vec::new();
        for class in 0.. {
            let Some(first) = rest.first() else { break };
            let alike = rest.iter().take_while(|step| step.is_as_large_as(first)).count();
            let (now, later) = rest.split_at(alike);
            rest = later;
            let (turns, turns_tx) = (turns.clone(), &turns_tx);
            let (arrivals, say, this) = (&arrivals, &say, &self);
            groups.push(async move {
                let _ = turns.clone().wait_for(|turn| *turn == class).await;
                let next = async {
                    this.placed(now).await;
                    turns_tx.send_replace(class + 1);
                };
                tokio::join!(join_all(now.iter().map(|step| this.group(step, arrivals, say))), next);
            });
        }
        join_all(groups).await;
    }

    /// The machines of the part of the job that a step is in.
    fn machines_of(&self, step: &Step) -> &[String] {
        &self.machines[usize::try_from(step.het_group.unwrap_or(0)).unwrap_or(0)]
    }

    /// Waits until all units of these steps are on machines, so that smaller ones can take the rest. What can't be placed is told by
    /// its `srun`, and holds up the others for a while only.
    async fn placed(&self, steps: &[Step]) {
        let files = || steps.iter().flat_map(|step| (0..step.units).map(|index| step.machine_file(index, &self.units)));
        let all = async {
            while !files().all(|file| file.is_file()) {
                sleep(PLACED_INTERVAL).await;
            }
        };
        let _ = timeout(COME_TIME, all).await;
    }

    async fn group(&self, step: &Step, arrivals: &BTreeMap<String, Arrival>, say: &impl Fn(String)) {
        let (ended_tx, ended) = watch::channel(false);
        let units = self.units.to_string_lossy();
        let whole = async {
            let status =
                srun(&step.all(self.machines_of(step).len() as u64, &units, &self.unit), &step.group, say).await;
            // Without an error, either all units know that the run is over, or Slurm takes a lost machine for that, and those
            // that were on it are missed.
            ended_tx.send_replace(!status.is_some_and(|status| status.success()));
            std::future::pending::<()>().await;
        };
        let again = (0..step.units).filter_map(|index| {
            let arrival = arrivals.get(&step.unit(index))?;
            Some(self.unit(step, index, arrival, ended.clone(), say))
        });
        tokio::join!(whole, join_all(again));
    }

    /// Starts a unit again whenever it is lost.
    async fn unit(
        &self,
        step: &Step,
        index: u64,
        arrival: &Arrival,
        mut ended: watch::Receiver<bool>,
        say: &impl Fn(String),
    ) {
        let (mut there, presence) = (arrival.presence(), arrival.presence());
        let never_came = async {
            // The sender lives as long as the group.
            let _ = ended.wait_for(|ended| *ended).await;
            if *presence.borrow() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = lost(&mut there) => {}
            () = never_came => {}
        }
        let (name, units) = (step.unit(index), self.units.to_string_lossy());
        let machines = self.machines_of(step);
        let last = fs::read_to_string(step.machine_file(index, &self.units)).unwrap_or_default();
        let first = machines.iter().position(|machine| machine == last.trim()).unwrap_or(0);
        for attempt in 0.. {
            let machine = &machines[(first + attempt) % machines.len()];
            say(format!("note: unit `{name}` is started again on `{machine}`"));
            let arguments = step.one(index, machine, &units, &self.unit);
            let mut running = Box::pin(srun(&arguments, &name, say));
            let has_come = tokio::select! {
                biased;
                _ = &mut running => false,
                came = timeout(COME_TIME, there.wait_for(|there| *there)) => came.is_ok(),
            };
            if has_come {
                tokio::select! {
                    biased;
                    _ = running => {}
                    () = lost(&mut there) => {}
                }
            }
            sleep(PAUSE).await;
        }
    }
}

/// Waits until a unit has come and is lost.
async fn lost(there: &mut watch::Receiver<bool>) {
    // The other end is as long there as the coordinator.
    for is_there in [true, false] {
        let _ = there.wait_for(|there| *there == is_there).await;
    }
}

/// Runs `srun` and tells what it prints. `None` if it can't be run.
async fn srun(arguments: &[String], what: &str, say: &impl Fn(String)) -> Option<ExitStatus> {
    let mut command = Command::new("srun");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            say(format!("error: `srun` can't be run: {error}"));
            return None;
        }
    };
    let mut lines = BufReader::new(child.stderr.take()?).lines();
    let mut told = 0;
    while let Ok(Some(line)) = lines.next_line().await {
        told += 1;
        if told <= LINES_MAX {
            say(format!("warning: `{what}`: {line}"));
        }
    }
    child.wait().await.ok()
}
