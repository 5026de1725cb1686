//! The compile cache, and what is shown while a component is compiled.

use std::ffi::OsStr;
use std::path::Path;

use lp_base::scheduler::Scheduler;
use lp_run::worker::Compiling;
use lp_runtime::{CacheError, CompileCache};

use super::screen::{Screen, Task};

/// The smallest component whose compilation is shown on a terminal: one of this size takes up to a second.
const SHOWN_BYTES_MIN: u64 = 1 << 20;

/// The smallest component of whose compilation a note is left: these take many seconds.
const NOTED_BYTES_MIN: u64 = 8 << 20;

/// What is shown of the components that are compiled, one after the other.
#[derive(Default)]
pub(super) struct Compilation {
    task: Option<Task>,
    is_noted: bool,
}

impl Compilation {
    /// Shows what has happened, and returns what was said of it.
    pub(super) fn on(&mut self, event: &Compiling, screen: &Screen) -> Option<String> {
        match event {
            Compiling::Sending { component, bytes_len, host } => {
                let size = *bytes_len as f64 / f64::from(1 << 20);
                let text = format!("sending {} to host `{host}` ({size:.1} MiB)", name(component));
                self.task = (*bytes_len >= SHOWN_BYTES_MIN).then(|| screen.brief_task(&text));
                None
            }
            Compiling::Sent { .. } => {
                self.task = None;
                None
            }
            Compiling::Begun { component, bytes_len, host } => {
                let size = *bytes_len as f64 / f64::from(1 << 20);
                let machine = host.as_ref().map_or_else(|| "this machine".to_owned(), |host| format!("host `{host}`"));
                let text = format!("compiling {} for {machine} ({size:.1} MiB)", name(component));
                self.is_noted = *bytes_len >= NOTED_BYTES_MIN;
                if self.is_noted {
                    self.task = Some(screen.task(&text));
                    return Some(text);
                }
                self.task = (*bytes_len >= SHOWN_BYTES_MIN).then(|| screen.brief_task(&text));
                None
            }
            Compiling::Ended { component, elapsed, host } => {
                self.task = None;
                let machine = host.as_ref().map(|host| format!(" for host `{host}`")).unwrap_or_default();
                let text = format!("compiled {}{machine} in {:.1} s", name(component), elapsed.as_secs_f64());
                self.is_noted.then(|| {
                    screen.note(&text);
                    text
                })
            }
        }
    }
}

fn name(component: &Path) -> String {
    format!("`{}`", component.file_name().unwrap_or(OsStr::new("the component")).display())
}

/// The compile cache in `dir`, which keeps at most `bytes_max`. Without one, components are compiled every time.
pub(super) fn open_cache(dir: &Path, bytes_max: u64, screen: &Screen) -> Option<CompileCache> {
    match CompileCache::open(dir, &Scheduler::default()) {
        Ok(cache) => Some(cache.bounded(bytes_max)),
        Err(error) => {
            warn_of_no_cache(&error, screen);
            None
        }
    }
}

/// Says that there is no cache, and why.
pub(super) fn warn_of_no_cache(error: &CacheError, screen: &Screen) {
    screen.warning(&format!("components are compiled again at every start: {error}"));
}
