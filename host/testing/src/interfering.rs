//! The faults of a test as they happen in one simulated run, and a record of all that happened.

mod chaos;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

pub(crate) use chaos::chaos;
use lp_base::scheduler::{Interference, Scheduler, Travelling, Way};
use lp_program::program::{Chance, CrashTime, Effect, Fault, FaultEdge, Leg, Linked, Mishap, Span, Start};

use crate::timeline::{Event, Timeline};

/// A fault that struck: its place among the faults of the run, and which of its occasions that was.
pub(crate) type Strike = (usize, u64);

/// Decides by a seed, or by what struck in an earlier run, which faults strike in this one.
#[derive(Debug)]
pub(crate) struct Interfering {
    seed: u64,
    faults: Vec<Fault>,
    /// The strikes of this run, where they are known before it.
    only: Option<BTreeSet<Strike>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// How often each fault could have struck, and how often it did.
    counts: Vec<(u64, u32)>,
    struck: BTreeSet<Strike>,
    calls: Vec<Travelling>,
    /// Those that are to crash when they ask next.
    crashing: BTreeSet<u32>,
    /// Those that live, or have lived, with whom to wake.
    lives: BTreeMap<u32, Waker>,
    /// Until when replicas do nothing.
    standing: BTreeMap<u32, Duration>,
    /// Clocks that are ahead: of whom, by how much, and until when.
    skews: Vec<(BTreeSet<u32>, Duration, Duration)>,
    /// Partitions, each with its end.
    cuts: Vec<(BTreeSet<u32>, Duration)>,
    timeline: Timeline,
}

impl Interfering {
    pub fn new(linked: &Linked, faults: Vec<Fault>, seed: u64, only: Option<BTreeSet<Strike>>) -> Self {
        let state = State {
            counts: vec![(0, 0); faults.len()],
            struck: BTreeSet::new(),
            calls: Vec::new(),
            crashing: BTreeSet::new(),
            lives: BTreeMap::new(),
            standing: BTreeMap::new(),
            skews: Vec::new(),
            cuts: Vec::new(),
            timeline: Timeline::new(linked),
        };
        Self { seed, faults, only, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What struck, and all that happened.
    pub fn finish(&self) -> (BTreeSet<Strike>, Timeline) {
        let mut state = self.lock();
        (std::mem::take(&mut state.struck), std::mem::take(&mut state.timeline))
    }

    /// Notes something that happened to a replica.
    pub fn note(&self, replica: &str, text: &str, at: Duration) {
        let mut state = self.lock();
        if let Some(number) = state.timeline.number(replica) {
            state.timeline.push(at, Event::Note { replica: number, text: text.to_owned() });
        }
    }

    /// Has the faults strike whose time comes. Never ends.
    pub async fn keep_time(&self, scheduler: &Scheduler) {
        let start = scheduler.now();
        let mut timed: Vec<_> = self
            .faults
            .iter()
            .enumerate()
            .filter_map(|(place, fault)| {
                let time = match &fault.effect {
                    Effect::Crash { when: CrashTime::At(start), .. } => *start,
                    Effect::Pause { span, .. } | Effect::Partition { span, .. } => span.start,
                    Effect::Skew { span, .. } => span.map_or(Start::At(Duration::ZERO), |span| span.start),
                    Effect::Crash { .. } | Effect::Calls { .. } => return None,
                };
                Some((self.time(place, time), place))
            })
            .collect();
        timed.sort();
        for (at, place) in timed {
            scheduler.sleep_until(start + at).await;
            self.strike_at(place, at);
        }
        std::future::pending().await
    }

    fn strike_at(&self, place: usize, at: Duration) {
        let mut state = self.lock();
        if !self.strikes(&mut state, place, Chance::Always) {
            return;
        }
        match &self.faults[place].effect {
            Effect::Crash { replicas, .. } => {
                // One that is down already has nothing to lose.
                let living = replicas.iter().copied().filter(|replica| state.lives.contains_key(replica)).collect();
                self.crash(&mut state, place, &living, at);
            }
            Effect::Pause { replicas, span } => {
                state.standing.extend(replicas.iter().map(|&replica| (replica, at + span.time)));
                state.timeline.push(at, self.struck(place, None, replicas));
            }
            Effect::Partition { replicas, span } => {
                state.cuts.push((replicas.clone(), at + span.time));
                state.timeline.push(at, self.struck(place, None, replicas));
            }
            Effect::Skew { replicas, by, span } => {
                let until = span.map_or(Duration::MAX, |span| at + span.time);
                state.skews.push((replicas.clone(), *by, until));
                state.timeline.push(at, self.struck(place, None, replicas));
            }
            Effect::Calls { .. } => {}
        }
    }

    fn struck(&self, place: usize, call: Option<usize>, replicas: &BTreeSet<u32>) -> Event {
        Event::Struck { fault: self.faults[place].line.clone(), call, replicas: replicas.iter().copied().collect() }
    }

    fn crash(&self, state: &mut State, place: usize, replicas: &BTreeSet<u32>, at: Duration) {
        state.crashing.extend(replicas);
        state.timeline.push(at, self.struck(place, None, replicas));
        replicas.iter().filter_map(|replica| state.lives.remove(replica)).for_each(Waker::wake);
    }

    /// The numbers that the seed gives for one occasion of a fault, whatever became of others.
    fn random(&self, place: usize, occasion: u64) -> fastrand::Rng {
        let mut random = fastrand::Rng::with_seed(self.seed ^ 0xFA17);
        let (by_place, by_occasion) = (random.u64(..) | 1, random.u64(..) | 1);
        let mixed = (place as u64 + 1).wrapping_mul(by_place) ^ (occasion + 1).wrapping_mul(by_occasion);
        fastrand::Rng::with_seed(mixed)
    }

    fn time(&self, place: usize, start: Start) -> Duration {
        match start {
            Start::At(at) => at,
            Start::Within(within) => within.mul_f64(self.random(place, u64::MAX - 1).f64()),
        }
    }

    /// Counts an occasion of a fault, and says whether it strikes.
    fn strikes(&self, state: &mut State, place: usize, chance: Chance) -> bool {
        let (occasions, strikes) = &mut state.counts[place];
        let occasion = *occasions;
        *occasions += 1;
        let due = match (&self.only, chance) {
            (Some(only), _) => only.contains(&(place, occasion)),
            (None, Chance::Always) => true,
            (None, Chance::Nth(number)) => occasion + 1 == number,
            (None, Chance::Of(probability)) => self.random(place, occasion).f64() < probability,
        };
        let strikes_now = due && self.faults[place].times.is_none_or(|times| *strikes < times);
        if strikes_now {
            *strikes += 1;
            state.struck.insert((place, occasion));
        }
        strikes_now
    }

    fn is_within(&self, place: usize, span: Option<Span>, at: Duration) -> bool {
        span.is_none_or(|span| {
            let start = self.time(place, span.start);
            (start..start + span.time).contains(&at)
        })
    }

    /// What becomes of a message of a call on that leg.
    fn way(&self, number: usize, leg: Leg, at: Duration) -> Way {
        let mut state = self.lock();
        let Some(&call) = state.calls.get(number) else { return Way::Arrives(Duration::ZERO) };
        state.cuts.retain(|(_, until)| *until > at);
        let is_cut = call.caller.is_some_and(|caller| {
            state.cuts.iter().any(|(side, _)| side.contains(&caller) != side.contains(&call.callee))
        });
        if is_cut {
            let ends = [call.callee].into();
            state.timeline.push(at, Event::Struck { fault: "cut off".to_owned(), call: Some(number), replicas: ends });
            return Way::Lost;
        }
        let mut way = Way::Arrives(Duration::ZERO);
        for (place, fault) in self.faults.iter().enumerate() {
            match &fault.effect {
                Effect::Calls { edge, leg: of, mishap, chance, span }
                    if *of == leg
                        && is_of(edge, call)
                        && self.is_within(place, *span, at)
                        && self.strikes(&mut state, place, *chance) =>
                {
                    state.timeline.push(at, self.struck(place, Some(number), &[call.callee].into()));
                    let occasion = state.counts[place].0;
                    way = self.after(place, occasion, mishap, way);
                }
                Effect::Crash { replicas, when: CrashTime::Call { leg: of, chance } }
                    if *of == leg && replicas.contains(&call.callee) && self.strikes(&mut state, place, *chance) =>
                {
                    self.crash(&mut state, place, replicas, at);
                    way = Way::Fails("failed");
                }
                _ => {}
            }
        }
        way
    }

    /// The way of a message that something has befallen before.
    fn after(&self, place: usize, occasion: u64, mishap: &Mishap, way: Way) -> Way {
        let later = |time: Duration| match way.clone() {
            Way::Arrives(after) => Way::Arrives(after + time),
            way => way,
        };
        match mishap {
            Mishap::Delay(time) => later(*time),
            Mishap::Reorder(time) => later(time.mul_f64(self.random(place, occasion + (1 << 32)).f64())),
            Mishap::Drop => Way::Lost,
            Mishap::Fail(error) => Way::Fails(error),
            Mishap::Full(time) => Way::Full(*time),
        }
    }
}

fn is_of(edge: &FaultEdge, call: Travelling) -> bool {
    let by = |callers: &BTreeSet<u32>| call.caller.is_some_and(|caller| callers.contains(&caller));
    edge.callers.as_ref().is_none_or(by)
        && edge.callees.contains(&call.callee)
        && edge.methods.as_ref().is_none_or(|methods| methods.contains(&call.method))
}

impl Interference for Interfering {
    fn leaves(&self, call: Travelling, at: Duration) -> (usize, Way) {
        let number = {
            let mut state = self.lock();
            state.calls.push(call);
            let number = state.calls.len() - 1;
            state.timeline.call(call, at);
            number
        };
        (number, self.way(number, Leg::Request, at))
    }

    fn arrives(&self, call: usize, at: Duration) {
        self.lock().timeline.push(at, Event::Arrives(call));
    }

    fn answered(&self, call: usize, error: Option<&'static str>, at: Duration) -> Way {
        self.lock().timeline.push(at, Event::Answered(call, error));
        self.way(call, Leg::Answer, at)
    }

    fn returned(&self, call: usize, error: Option<&'static str>, at: Duration) {
        self.lock().timeline.push(at, Event::Returned(call, error));
    }

    fn stands(&self, replica: u32, at: Duration) -> Option<Duration> {
        let mut state = self.lock();
        let until = *state.standing.get(&replica)?;
        if until > at {
            return Some(until - at);
        }
        state.standing.remove(&replica);
        None
    }

    fn skew(&self, replica: u32, at: Duration) -> Duration {
        let state = self.lock();
        let ahead = state.skews.iter().filter(|(replicas, _, until)| *until > at && replicas.contains(&replica));
        ahead.fold(Duration::ZERO, |sum, (_, by, _)| sum.saturating_add(*by))
    }

    fn crashes(&self, replica: u32, waker: &Waker) -> bool {
        let mut state = self.lock();
        let crashes = state.crashing.remove(&replica);
        if !crashes {
            state.lives.entry(replica).or_insert_with(|| waker.clone()).clone_from(waker);
        }
        crashes
    }
}

/// The interference of a run as the scheduler takes it.
pub(crate) fn shared(interfering: &Arc<Interfering>) -> Arc<dyn Interference> {
    interfering.clone()
}
