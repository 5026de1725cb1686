//! What a table is made with.

use std::num::NonZeroI32;

use bytes::Bytes;

use super::limiter::{LimiterError, LimiterSpec};
use super::selector::SelectorKind;

/// As many items have numbers of 32 bits with room to spare.
const MAX_SIZE: usize = i32::MAX as usize;

/// What a table is made with.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSpec {
    /// Its name, which requests have.
    pub name: String,
    /// Which item is sampled.
    pub sampler: SelectorKind,
    /// Which item makes room when there are more than `max_size`.
    pub remover: SelectorKind,
    /// The most items: 1 to 2,147,483,647.
    pub max_size: usize,
    /// An item that was sampled as often is removed; `None` if that never happens.
    pub max_times_sampled: Option<NonZeroI32>,
    /// When the table may be written to and sampled from.
    pub limiter: LimiterSpec,
    /// What the items look like, for clients: a `tensorflow.StructuredValue` that is passed on as it is.
    pub signature: Option<Bytes>,
}

/// Why there can be no such table.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SpecError {
    /// It has no name.
    #[error("a table must have a name")]
    NoName,
    /// It has no room, or more than it can have.
    #[error("max_size must be 1 to {MAX_SIZE}, not {0}")]
    Size(usize),
    /// An item is removed before it was sampled at all.
    #[error("max_times_sampled must be at least 1, not {0}")]
    TimesSampled(i32),
    /// A prioritized selector has no number for an exponent.
    #[error("the exponent of a prioritized selector must be a number, not {0}")]
    Exponent(f64),
    /// The limiter is no good.
    #[error(transparent)]
    Limiter(#[from] LimiterError),
}

impl TableSpec {
    /// A first-in, first-out queue of at most `items`, each of which is sampled once.
    pub fn queue(name: &str, items: usize) -> Self {
        Self {
            name: name.to_owned(),
            sampler: SelectorKind::Fifo,
            remover: SelectorKind::Fifo,
            max_size: items,
            max_times_sampled: NonZeroI32::new(1),
            limiter: LimiterSpec::queue(items as i64),
            signature: None,
        }
    }

    /// A last-in, first-out stack of at most `items`, each of which is sampled once.
    pub fn stack(name: &str, items: usize) -> Self {
        let kind = SelectorKind::Lifo;
        Self { sampler: kind, remover: kind, ..Self::queue(name, items) }
    }

    /// Whether there can be such a table.
    ///
    /// # Errors
    /// The first reason why not.
    pub fn check(&self) -> Result<(), SpecError> {
        if self.name.is_empty() {
            return Err(SpecError::NoName);
        }
        if self.max_size == 0 || self.max_size > MAX_SIZE {
            return Err(SpecError::Size(self.max_size));
        }
        if let Some(times) = self.max_times_sampled.filter(|times| times.get() < 1) {
            return Err(SpecError::TimesSampled(times.get()));
        }
        for kind in [self.sampler, self.remover] {
            if let SelectorKind::Prioritized { exponent } = kind
                && !exponent.is_finite()
            {
                return Err(SpecError::Exponent(exponent));
            }
        }
        Ok(self.limiter.check()?)
    }
}
