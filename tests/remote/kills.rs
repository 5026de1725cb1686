//! Two hundred deaths under load, in an order that follows from a seed: of workers, of agents, and of hosts that stand still and
//! go on when their replicas live elsewhere.

use std::time::Duration;

use rustix::process::Signal;

use super::lost::{check_load, moved, number, signal};
use super::{Hosts, check_nothing_left, place_of, start};
use crate::run::Program;
use crate::runs::{Machine, eventually};

/// A lost host costs its lease, a lost worker only its next start: so there are fewer of the one than of the other.
const ROUNDS: usize = 200;
const SEED: u64 = 15;

/// The server finds a host while others of these come back.
const HOSTS: usize = 6;

/// How long a host stands still that is not to be lost. It may be lost all the same where the machine is slow.
const PAUSE: Duration = Duration::from_millis(200);

/// What dies in a round.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// The worker of the server.
    Worker,
    /// The next worker of the server too, as soon as it is there, whatever it does at that moment.
    TwoWorkers,
    /// The agent of its host, which is started again.
    Agent,
    /// All processes of its host stand still until the server lives elsewhere.
    Frozen,
    /// They stand still for less than the lease allows.
    Paused,
}

/// What dies in each round. The same seed gives the same rounds.
fn deaths() -> impl Iterator<Item = Death> {
    let mut state = SEED;
    std::iter::repeat_with(move || {
        // The generator of Knuth's MMIX, whose upper bits are the random ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (state >> 33) % 40 {
            0 => Death::Agent,
            1..=2 => Death::Frozen,
            3..=4 => Death::Paused,
            5..=12 => Death::TwoWorkers,
            _ => Death::Worker,
        }
    })
}

/// Brings a death about, and gives back where the server runs then.
fn bring(death: Death, hosts: &mut Hosts, machine: &Machine, place: &(String, i32)) -> (String, i32) {
    let host = number(&place.0);
    match death {
        Death::Worker => {
            signal(&[place.1], Signal::KILL);
            moved(machine, place)
        }
        Death::TwoWorkers => {
            signal(&[place.1], Signal::KILL);
            let next = |hosts: &Hosts| hosts.processes(host).into_iter().skip(1).find(|&pid| pid != place.1);
            eventually("the next worker is there", || next(hosts).is_some());
            signal(&next(hosts).into_iter().collect::<Vec<_>>(), Signal::KILL);
            moved(machine, place)
        }
        Death::Agent => {
            signal(&hosts.processes(host)[..1], Signal::KILL);
            let next = moved(machine, place);
            assert_ne!(next.0, place.0, "its host is lost");
            assert!(hosts.processes(host).is_empty(), "its workers end with it");
            hosts.restart(host);
            next
        }
        Death::Frozen => {
            let frozen = hosts.processes(host);
            signal(&frozen, Signal::STOP);
            let next = moved(machine, place);
            assert_ne!(next.0, place.0, "its host is lost");
            signal(&frozen, Signal::CONT);
            eventually("the old worker ends", || hosts.processes(host).len() <= 1);
            next
        }
        Death::Paused => {
            let paused = hosts.processes(host);
            signal(&paused, Signal::STOP);
            std::thread::sleep(PAUSE);
            signal(&paused, Signal::CONT);
            place.clone()
        }
    }
}

#[test]
fn two_hundred_deaths_leave_every_call_answered_and_no_process() {
    let names: Vec<_> = (2..=HOSTS).map(|host| format!("'h{host}'")).collect();
    let program = Program::new(&format!(
        "grace = '1s'\n[nodes.a]\nASYNC\nhandles = {{ probe = 'a' }}\nrun = false\nhosts = [{}]\n\
         restart = {{ policy = 'on-failure', max = 10000, backoff = '1ms', backoff-max = '1ms' }}\n\
         [nodes.b]\nASYNC\nhandles = {{ probe = 'a' }}\nargs = ['plain-echo:1', 'load:/data/go']\nhosts = ['h1']\n\
         sandbox = {{ dirs = [{{ host = '.', guest = '/data', access = 'read' }}] }}\n",
        names.join(", ")
    ));
    let (mut hosts, machine) = (Hosts::several(HOSTS, "lease = '1s'\n"), Machine::new());
    let mut going = start(&hosts, &machine, &program);
    going.expect_line("b/0 │ 1");
    let mut place = place_of(&machine, "a").expect("it runs");
    for (round, death) in deaths().take(ROUNDS).enumerate() {
        eprintln!("round {round} of seed {SEED}: {death:?} on {}", place.0);
        place = bring(death, &mut hosts, &machine, &place);
    }
    check_load(going, &program);
    check_nothing_left(&hosts);
}
