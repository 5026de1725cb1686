//! The faults of a test: what happens to its calls and replicas, and when.

mod read;

use std::collections::BTreeSet;
use std::time::Duration;

pub(super) use read::faults;

/// Something that a test has go wrong. Replicas are numbers in the program, in the order of its nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The fault in few words, such as `drop client -> store.get`.
    pub line: String,
    /// What happens.
    pub effect: Effect,
    /// How often at most; as often as it is due if there is no number.
    pub times: Option<u32>,
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Something happens to calls on their way.
    Calls {
        /// Which calls.
        edge: FaultEdge,
        /// Whether their requests or their answers.
        leg: Leg,
        /// What happens to them.
        mishap: Mishap,
        /// Which of them, in their order.
        chance: Chance,
        /// Only in this time.
        span: Option<Span>,
    },
    /// Replicas are dropped where they are.
    Crash {
        /// The replicas, which all crash at once.
        replicas: BTreeSet<u32>,
        /// When.
        when: CrashTime,
    },
    /// Replicas do nothing for a while, and get no calls.
    Pause {
        /// The replicas.
        replicas: BTreeSet<u32>,
        /// When.
        span: Span,
    },
    /// The time of day that replicas read is ahead of the others'.
    Skew {
        /// The replicas.
        replicas: BTreeSet<u32>,
        /// By how much.
        by: Duration,
        /// When; all through the run if there is no span.
        span: Option<Span>,
    },
    /// No request or answer passes between these replicas and all others.
    Partition {
        /// The replicas of one side.
        replicas: BTreeSet<u32>,
        /// When.
        span: Span,
    },
}

/// Calls by their ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultEdge {
    /// The replicas that make them; anybody, callers outside of the program among them, if there is no set.
    pub callers: Option<BTreeSet<u32>>,
    /// The replicas that get them.
    pub callees: BTreeSet<u32>,
    /// The methods, by their places among all of the callee's; any if there is no set.
    pub methods: Option<BTreeSet<usize>>,
}

/// The way that a message goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Leg {
    /// To the callee.
    #[default]
    Request,
    /// Back to the caller.
    Answer,
}

/// What happens to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mishap {
    /// It takes that long.
    Delay(Duration),
    /// It takes a time up to that, drawn from the seed, so that messages overtake each other.
    Reorder(Duration),
    /// It is lost.
    Drop,
    /// The call fails with the call error of that name.
    Fail(&'static str),
    /// The callee has no room for it for that time.
    Full(Duration),
}

/// Which of the calls a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Chance {
    /// Each.
    Always,
    /// The one of that number, from 1.
    Nth(u64),
    /// Each with that probability.
    Of(f64),
}

/// A span of the run's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it begins.
    pub start: Start,
    /// How long it takes.
    pub time: Duration,
}

/// A time since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// This one.
    At(Duration),
    /// One before this, drawn from the seed.
    Within(Duration),
}

/// When a replica crashes.
#[derive(Debug, Clone, PartialEq)]
pub enum CrashTime {
    /// At that time.
    At(Start),
    /// At a call of it.
    Call {
        /// As the request arrives, which it does not work on, or as it has answered, which nobody hears.
        leg: Leg,
        /// Which call.
        chance: Chance,
    },
}
