//! How long many idle replicas take to start, and what each costs in memory.

use std::time::{Duration, Instant};

use super::EMPTY;
use super::direct::{Compiled, Crowd};
use super::guests::Guests;
use super::nodes::{Flavour, Nodes};

/// The replicas that are started.
pub const REPLICAS: u32 = 1000;

/// What starting them took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// From a program to the last replica that is ready for calls.
    pub time: Duration,
    /// Resident memory that came with the replicas, for each of them.
    pub idle_bytes: u64,
    /// The same once each has served a call: the guest's own pages are touched by then.
    pub called_bytes: u64,
}

/// Starts that many echo nodes in lp-host, with a compile cache, calls each once and stops them again.
///
/// Memory that an earlier program gave back may be used again, so only the first program of a process shows its cost.
pub fn nodes(guests: &Guests, flavour: Flavour) -> Cost {
    let (nodes, cost) = measured(|| Nodes::start_idle(guests, flavour, REPLICAS), |nodes| nodes.call_each(EMPTY));
    nodes.stop();
    cost
}

/// Makes that many instances by typed bindings, one after the other, of a component that is compiled already.
pub fn typed(guests: &Guests) -> Cost {
    let compiled = Compiled::new(guests.path(Flavour::Async.echo()));
    measured(|| Crowd::new(&compiled, REPLICAS), |crowd| _ = crowd.typed_fan_out(1)).1
}

/// Fills the compile cache.
pub fn warm_up(guests: &Guests, flavour: Flavour) {
    Nodes::start_idle(guests, flavour, 1).stop();
}

fn measured<T>(start: impl FnOnce() -> T, call: impl FnOnce(&mut T)) -> (T, Cost) {
    let (before, started) = (resident_bytes(), Instant::now());
    let each = || resident_bytes().saturating_sub(before) / u64::from(REPLICAS);
    let mut running = start();
    let (time, idle_bytes) = (started.elapsed(), each());
    call(&mut running);
    let called_bytes = each();
    (running, Cost { time, idle_bytes, called_bytes })
}

/// The resident memory of this process, as Linux counts it.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux describes every process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has resident memory");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("the size is a number of kB");
    kib * 1024
}
