//! Until when a worker on another host may live, as the agent of that host last said: see [`Lease`].

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use crate::scheduler::Scheduler;

/// The lease of a host: a file of eight bytes, in which the agent of the host writes until when the lease holds, again and
/// again as it is prolonged. A clone reads the same file.
///
/// When it has run out, the launcher may have started the same replicas elsewhere. So a worker looks at it right before
/// anything that others see of it: a process may be stopped at any moment and go on after an hour, as if nothing had been.
/// A look reads the file, which costs a fifth of a microsecond; a number kept in memory would be as old as the process was
/// stopped.
#[derive(Clone, Debug)]
pub struct Lease {
    file: Arc<File>,
    scheduler: Scheduler,
}

impl Lease {
    /// The lease in `file`: the time of [`Scheduler::boot_time`] at which it ends, in milliseconds, as a little-endian `u64`.
    pub fn new(file: File, scheduler: Scheduler) -> Self {
        Self { file: Arc::new(file), scheduler }
    }

    /// Whether it holds at this moment.
    pub fn holds(&self) -> bool {
        !self.left().is_zero()
    }

    /// For how long it still holds, unless it is prolonged. One that can't be read has ended.
    pub fn left(&self) -> Duration {
        let mut bytes = [0; 8];
        // Eight bytes of one page are written as a whole.
        if self.file.read_exact_at(&mut bytes, 0).is_err() {
            return Duration::ZERO;
        }
        Duration::from_millis(u64::from_le_bytes(bytes)).saturating_sub(self.scheduler.boot_time())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_holds_until_the_time_in_its_file_and_never_without_one() {
        let scheduler = Scheduler::default();
        let file = tempfile::tempfile().expect("the system has a directory for temporary files");
        let lease = Lease::new(file.try_clone().expect("there are files left"), scheduler.clone());
        assert!(!lease.holds(), "the file is empty");
        let now = u64::try_from(scheduler.boot_time().as_millis()).expect("no machine runs for so long");
        let write = |until: u64| file.write_all_at(&until.to_le_bytes(), 0).expect("there is room");
        write(now + 60_000);
        assert!(lease.holds() && lease.left() > Duration::from_secs(50) && lease.clone().holds());
        write(now);
        assert!(!lease.holds(), "it has ended");
        write(u64::MAX);
        assert!(lease.holds(), "it was prolonged");
        file.set_len(7).expect("it can be cut");
        assert!(!lease.holds(), "it can't be read");
    }
}
