//! Decides when a table may be written to and sampled from. One formula serves every kind of limiter.

/// What a limiter holds a table to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LimiterSpec {
    /// How many samples are meant for each insert. More than 0.
    pub samples_per_insert: f64,
    /// How many items there must be before any is sampled. At least 1.
    pub min_size_to_sample: i64,
    /// Samples wait while `inserts * samples_per_insert - samples` would fall below this.
    pub min_diff: f64,
    /// Inserts wait while `inserts * samples_per_insert - samples` would rise above this.
    pub max_diff: f64,
}

/// Why a limiter can't be as described.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum LimiterError {
    /// The ratio is no positive number.
    #[error("samples_per_insert must be more than 0, not {0}")]
    Ratio(f64),
    /// No item has to be there.
    #[error("min_size_to_sample must be at least 1, not {0}")]
    MinSize(i64),
    /// A bound is not a number, or they are the wrong way around.
    #[error("min_diff ({min}) must be at most max_diff ({max})")]
    Bounds {
        /// The lower bound.
        min: f64,
        /// The upper bound.
        max: f64,
    },
}

impl LimiterSpec {
    /// Holds samples back until there are `items`.
    pub fn min_size(items: i64) -> Self {
        Self { samples_per_insert: 1.0, min_size_to_sample: items, min_diff: f64::MIN, max_diff: f64::MAX }
    }

    /// Keeps the ratio of samples to inserts within `error_buffer` of `samples_per_insert`, once there are `items`.
    pub fn sample_to_insert_ratio(samples_per_insert: f64, items: i64, error_buffer: f64) -> Self {
        let middle = samples_per_insert * items as f64;
        Self {
            samples_per_insert,
            min_size_to_sample: items,
            min_diff: middle - error_buffer,
            max_diff: middle + error_buffer,
        }
    }

    /// Of a queue or stack: inserts wait while `items` have not been sampled, and each is sampled once.
    pub fn queue(items: i64) -> Self {
        Self { samples_per_insert: 1.0, min_size_to_sample: 1, min_diff: 0.0, max_diff: items as f64 }
    }

    /// Whether a table can be held to this.
    ///
    /// # Errors
    /// If it can't.
    pub fn check(&self) -> Result<(), LimiterError> {
        if !(self.samples_per_insert > 0.0 && self.samples_per_insert.is_finite()) {
            return Err(LimiterError::Ratio(self.samples_per_insert));
        }
        if self.min_size_to_sample < 1 {
            return Err(LimiterError::MinSize(self.min_size_to_sample));
        }
        let (min, max) = (self.min_diff, self.max_diff);
        if min.is_nan() || max.is_nan() || min > max { Err(LimiterError::Bounds { min, max }) } else { Ok(()) }
    }
}

/// How often a table was written to, sampled from and deleted from, since it was made or reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New items; an insert of a key that was there counts as none.
    pub inserts: i64,
    /// Samples.
    pub samples: i64,
    /// Items that are gone, for whatever reason.
    pub deletes: i64,
}

/// A limiter with its counts.
#[derive(Clone, Debug)]
pub struct Limiter {
    /// What it holds the table to.
    pub spec: LimiterSpec,
    /// What has happened.
    pub counts: Counts,
}

impl Limiter {
    fn size(&self) -> i64 {
        self.counts.inserts - self.counts.deletes
    }

    fn diff(&self, inserts: i64, samples: i64) -> f64 {
        (self.counts.inserts + inserts) as f64 * self.spec.samples_per_insert - (self.counts.samples + samples) as f64
    }

    /// Whether one more item may be sampled.
    pub fn can_sample(&self) -> bool {
        self.size() >= self.spec.min_size_to_sample && self.diff(0, 1) >= self.spec.min_diff
    }

    /// Whether one more item may be inserted.
    pub fn can_insert(&self) -> bool {
        self.size() < self.spec.min_size_to_sample || self.diff(1, 0) <= self.spec.max_diff
    }

    /// Why no item may be sampled, if so.
    pub fn sample_waits(&self) -> Option<String> {
        if self.can_sample() {
            return None;
        }
        let (size, least) = (self.size(), self.spec.min_size_to_sample);
        if size < least {
            return Some(format!("the table has {size} of the {least} items that must be there before any is sampled"));
        }
        let ahead = self.shown_difference();
        Some(format!("{ahead}; one more sample would bring that below min_diff ({})", self.spec.min_diff))
    }

    /// Why no item may be inserted, if so.
    pub fn insert_waits(&self) -> Option<String> {
        if self.can_insert() {
            return None;
        }
        let ahead = self.shown_difference();
        Some(format!("{ahead}; one more insert would bring that above max_diff ({})", self.spec.max_diff))
    }

    fn shown_difference(&self) -> String {
        let (Counts { inserts, samples, .. }, ratio) = (self.counts, self.spec.samples_per_insert);
        format!("{inserts} inserts × {ratio} − {samples} samples = {}", self.diff(0, 0))
    }
}
