//! Whose turn it is: of all that could go on, a simulation lets one go on at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

/// How a simulation picks who goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Each of them with the same chance.
    Uniform,
    /// Probabilistic concurrency testing (Burckhardt et al., 2010): each has a priority that is drawn when it first waits, and
    /// the highest goes on. At some steps, drawn from the first `steps`, the one that would go on gets the lowest priority
    /// instead. A bug that needs `changes` of these at the right moments shows with a chance of at least one in
    /// `tasks × steps ^ changes`, however many other steps there are.
    Pct {
        /// About how many steps the run has.
        steps: u64,
        /// How many of them change a priority.
        changes: u32,
    },
    /// The one that came last, which is mostly one that the step before has led to: whoever runs goes on until it has to wait.
    /// At these steps another one, which came so many places before.
    Replay(BTreeMap<u64, usize>),
}

/// What a simulation has picked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picks {
    /// How often somebody was picked.
    pub steps: u64,
    /// The steps at which that was not the one that came last, with how many places it came before: what
    /// [`Strategy::Replay`] takes.
    pub others: BTreeMap<u64, usize>,
}

/// The most steps of which the picks are kept: a longer run is still decided by its seed, but can't be shrunk.
const PICKS_MAX: usize = 1_000_000;

/// After so many steps in one moment the one goes on that has waited for longest. Who waits for another one by looking again
/// and again would otherwise keep it from running, if it has the higher priority.
const UNFAIR_STEPS_MAX: u64 = 10_000;

/// Somebody who goes on only when it is their turn. Each has a priority of their own.
pub(super) type Party = u64;

/// All that wait for their turn.
pub(super) struct Turns {
    strategy: Strategy,
    random: fastrand::Rng,
    waiting: BTreeMap<u64, Waiting>,
    /// Counts who came to wait.
    arrivals: u64,
    parties: Party,
    priorities: HashMap<Party, u64>,
    changes: BTreeSet<u64>,
    lowest: u64,
    /// For each caller, which of its parties have a call under way.
    chains: BTreeMap<Option<u32>, Vec<(Party, bool)>>,
    /// The steps since time has last passed.
    steps_of_moment: u64,
    picks: Picks,
}

struct Waiting {
    party: Party,
    granted: Arc<AtomicBool>,
    waker: Waker,
}

/// Where in the queue somebody waits.
#[derive(Debug)]
pub(super) struct Place {
    arrival: u64,
    granted: Arc<AtomicBool>,
}

impl Place {
    pub fn is_granted(&self) -> bool {
        self.granted.load(Ordering::Relaxed)
    }
}

/// Priorities that are drawn are above this, those of changes below.
const DRAWN_MIN: u64 = 1 << 32;

impl Turns {
    pub fn new(strategy: Strategy, mut random: fastrand::Rng) -> Self {
        let mut changes = BTreeSet::new();
        if let Strategy::Pct { steps, changes: count } = strategy {
            changes.extend((0..count).map(|_| random.u64(0..steps.max(1))));
        }
        Self {
            strategy,
            random,
            waiting: BTreeMap::new(),
            arrivals: 0,
            parties: 0,
            priorities: HashMap::new(),
            changes,
            lowest: DRAWN_MIN,
            chains: BTreeMap::new(),
            steps_of_moment: 0,
            picks: Picks::default(),
        }
    }

    pub fn picks(&self) -> Picks {
        self.picks.clone()
    }

    /// A party of its own, for a task.
    pub fn party(&mut self) -> Party {
        self.parties += 1;
        self.parties
    }

    /// The party of the next call of `caller`: one whose earlier calls have all ended, and so came before this one, or else
    /// a new one. So calls that can overtake each other have different priorities, and a caller that makes one after the
    /// other has the same one throughout (Ozkan et al., 2018).
    pub fn begin_call(&mut self, caller: Option<u32>) -> Party {
        let next = self.parties + 1;
        let chains = self.chains.entry(caller).or_default();
        if let Some((party, busy)) = chains.iter_mut().find(|(_, busy)| !busy) {
            *busy = true;
            return *party;
        }
        chains.push((next, true));
        self.parties = next;
        next
    }

    pub fn end_call(&mut self, caller: Option<u32>, party: Party) {
        let chains = self.chains.entry(caller).or_default();
        chains.iter_mut().filter(|(known, _)| *known == party).for_each(|(_, busy)| *busy = false);
    }

    /// Has `party` wait at the end of the queue.
    pub fn wait(&mut self, party: Party, waker: &Waker) -> Place {
        self.arrivals += 1;
        let granted = Arc::new(AtomicBool::new(false));
        self.waiting.insert(self.arrivals, Waiting { party, granted: granted.clone(), waker: waker.clone() });
        Place { arrival: self.arrivals, granted }
    }

    pub fn renew(&mut self, place: &Place, waker: &Waker) {
        if let Some(waiting) = self.waiting.get_mut(&place.arrival) {
            waiting.waker.clone_from(waker);
        }
    }

    pub fn leave(&mut self, place: &Place) {
        self.waiting.remove(&place.arrival);
    }

    /// Takes note that time passes.
    pub fn begin_moment(&mut self) {
        self.steps_of_moment = 0;
    }

    /// Picks who goes on, of those that wait, and returns whom to wake for it.
    pub fn grant(&mut self) -> Option<Waker> {
        let last = self.waiting.len().checked_sub(1)?;
        self.steps_of_moment += 1;
        let place = match self.steps_of_moment > UNFAIR_STEPS_MAX {
            true => 0,
            false => {
                let place = self.pick(last)?;
                if place < last && self.picks.others.len() < PICKS_MAX {
                    self.picks.others.insert(self.picks.steps, last - place);
                }
                place
            }
        };
        self.picks.steps += 1;
        let arrival = *self.waiting.keys().nth(place)?;
        let waiting = self.waiting.remove(&arrival)?;
        waiting.granted.store(true, Ordering::Relaxed);
        Some(waiting.waker)
    }

    fn pick(&mut self, last: usize) -> Option<usize> {
        match &self.strategy {
            Strategy::Uniform => Some(self.random.usize(0..=last)),
            Strategy::Replay(others) => {
                Some(last - others.get(&self.picks.steps).map_or(0, |&before| before.min(last)))
            }
            Strategy::Pct { .. } => {
                let highest = self.highest()?;
                if !self.changes.contains(&self.picks.steps) {
                    return Some(highest);
                }
                self.lowest -= 1;
                let party = self.waiting.values().nth(highest)?.party;
                self.priorities.insert(party, self.lowest);
                self.highest()
            }
        }
    }

    /// The place of who has the highest priority.
    fn highest(&mut self) -> Option<usize> {
        let Self { waiting, priorities, random, .. } = self;
        let priorities =
            waiting.values().map(|waiting| *priorities.entry(waiting.party).or_insert_with(|| random.u64(DRAWN_MIN..)));
        // Of two of the same party the one that came first.
        priorities.enumerate().max_by_key(|&(place, priority)| (priority, usize::MAX - place)).map(|(place, _)| place)
    }
}
