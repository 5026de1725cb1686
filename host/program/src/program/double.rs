//! Stand-ins for nodes, in tests.

/// What answers the calls of a node in place of its component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Double {
    /// The answers. A call gets the first one that is for it and not used up; without one the double fails.
    pub answers: Vec<Answer>,
}

/// An answer of a double.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The call, with patterns for its arguments, and its answer: `get("a") -> some(1)`, `get(_) fails unavailable`.
    pub line: String,
    /// How many calls each replica must answer with it; any number if there is none.
    pub times: Option<u32>,
}

impl Answer {
    /// An answer that is given as often as it is asked for.
    pub fn new(line: impl Into<String>) -> Self {
        Self { line: line.into(), times: None }
    }

    /// Has it answer exactly so many calls of each replica.
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }
}

impl From<&str> for Answer {
    fn from(line: &str) -> Self {
        Self::new(line)
    }
}
