//! What a replica was denied: told to the user as it happens, and remembered for when the replica fails of it.

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

use lp_base::replica::{LineSink, LineSource};
use lp_base::words::Limit;

/// The most different denials of one life of a replica that are told. A guest that tries all addresses there are must not
/// fill the log, nor the host's memory.
const DENIALS_TOLD_MAX: usize = 50;
/// What is told of one denial at most: the guest chose the names in it.
const DENIAL_CHARS_MAX: usize = 300;

/// The denials of one life of a replica. Clones share them.
#[derive(Clone)]
pub struct Denials(Arc<Shared>);

struct Shared {
    label: String,
    sink: Arc<dyn LineSink>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    denials: HashSet<String>,
    last: Option<String>,
}

impl Denials {
    /// Those of the replica called `label`.
    pub fn new(label: &str, sink: Arc<dyn LineSink>) -> Self {
        Self(Arc::new(Shared { label: label.to_owned(), sink, told: Mutex::default() }))
    }

    /// Tells of a denial, unless the same was told before: what was tried, such as `connect to 10.0.0.1:80`, and the key
    /// of the node in program.toml that would allow it.
    pub fn tell(&self, tried: impl Display, key: &str) {
        self.note(tried, &format!(" (allow it with `{key}`)"));
    }

    /// The same of what a limit forbids.
    pub fn tell_limit(&self, tried: impl Display, limit: Limit, value: u64) {
        self.note(tried, &format!(" (its limit is `{limit}` = {})", limit.show(value)));
    }

    /// The same of what no key would allow.
    pub fn tell_only(&self, tried: impl Display) {
        self.note(tried, "");
    }

    fn note(&self, tried: impl Display, why: &str) {
        let tried: String = tried.to_string().chars().take(DENIAL_CHARS_MAX).flat_map(char::escape_debug).collect();
        let denial = tried + why;
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.last = Some(denial.clone());
        if told.denials.len() > DENIALS_TOLD_MAX || !told.denials.insert(denial.clone()) {
            return;
        }
        let label = &self.0.label;
        let line = match told.denials.len() {
            number if number > DENIALS_TOLD_MAX => format!("denied: `{label}` made more attempts than are listed here"),
            _ => format!("denied: `{label}` tried to {denial}"),
        };
        self.0.sink.line(LineSource::Host, line.as_bytes());
    }

    /// The latest denial.
    pub fn last(&self) -> Option<String> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner).last.clone()
    }
}
