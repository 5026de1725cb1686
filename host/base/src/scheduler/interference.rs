//! What a test does to the calls and replicas of a simulated run. Here is only the seam; who decides is above.

use std::fmt;
use std::task::Waker;
use std::time::Duration;

/// A call on its way, by the numbers of its replicas in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Travelling {
    /// Who made it; `None` for callers outside of the program.
    pub caller: Option<u32>,
    /// The replica that it is for.
    pub callee: u32,
    /// The method, by its place among all of the callee's.
    pub method: usize,
}

/// What becomes of a request or an answer on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It arrives after that time.
    Arrives(Duration),
    /// It never arrives. A caller with a deadline waits for that; another one sees a broken connection.
    Lost,
    /// The call fails with the error of that name among [`CALL_ERRORS`](crate::calls::CALL_ERRORS).
    Fails(&'static str),
    /// The callee has no room for it for that time.
    Full(Duration),
}

/// Decides what happens to the calls and replicas of a simulated run, and sees all of them. `at` is the time since the run
/// began.
pub trait Interference: fmt::Debug + Send + Sync {
    /// A call leaves its caller. The result has a number of it for the other functions.
    fn leaves(&self, call: Travelling, at: Duration) -> (usize, Way);

    /// A request arrives at its callee.
    fn arrives(&self, call: usize, at: Duration);

    /// The callee has answered, with an error of that name if it is one.
    fn answered(&self, call: usize, error: Option<&'static str>, at: Duration) -> Way;

    /// The caller has its result, with an error of that name if it is one.
    fn returned(&self, call: usize, error: Option<&'static str>, at: Duration);

    /// For how long a replica does nothing from now on, if it does not go on.
    fn stands(&self, replica: u32, at: Duration) -> Option<Duration>;

    /// How far the time of day that a replica reads is ahead of the others'.
    fn skew(&self, replica: u32, at: Duration) -> Duration;

    /// Whether a replica is to crash now, which it does once it has asked. `waker` is woken when that changes.
    fn crashes(&self, replica: u32, waker: &Waker) -> bool;
}
