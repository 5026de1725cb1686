//! The clocks that a guest reads: those of its worker, or one that shows the same in every run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use lp_base::scheduler::{Scheduler, Stopwatch};
use lp_base::words::Clock;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock};

/// How much a fixed or simulated clock goes on each time it is read: a guest that reads it until some time has passed comes to
/// an end.
const STEP: Duration = Duration::from_micros(1);

/// What the clocks of the systems that lp-host runs on tell apart.
const RESOLUTION: Duration = Duration::from_nanos(1);

/// Sets what time the guest of a replica sees, whose number in the program is `replica`.
pub fn set(wasi: &mut WasiCtxBuilder, clock: Clock, scheduler: &Scheduler, replica: u32) {
    match clock {
        Clock::Fixed(start) => {
            let clock = Fixed { start: start.since_epoch(), readings: Arc::default() };
            wasi.wall_clock(clock.clone()).monotonic_clock(clock);
        }
        Clock::Real => {
            wasi.wall_clock(Wall { scheduler: scheduler.clone(), replica });
            wasi.monotonic_clock(Monotonic { scheduler: scheduler.clone(), since: scheduler.stopwatch() });
        }
    }
}

/// The time of day of the worker, as the replica of that number has it.
struct Wall {
    scheduler: Scheduler,
    replica: u32,
}

impl HostWallClock for Wall {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        self.scheduler.pass(STEP);
        let skew = self.scheduler.interference().map(|(interference, at)| interference.skew(self.replica, at));
        // A machine whose clock is before 1970 is at its beginning.
        let time = self.scheduler.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        time.saturating_add(skew.unwrap_or_default())
    }
}

/// The time since the start of the replica.
struct Monotonic {
    scheduler: Scheduler,
    since: Stopwatch,
}

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        u64::from(RESOLUTION.subsec_nanos())
    }

    fn now(&self) -> u64 {
        self.scheduler.pass(STEP);
        u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Both of a guest's clocks where they are fixed, which go on together.
#[derive(Clone)]
struct Fixed {
    start: Duration,
    readings: Arc<AtomicU64>,
}

impl Fixed {
    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.readings.fetch_add(1, Ordering::Relaxed))
    }
}

impl HostWallClock for Fixed {
    fn resolution(&self) -> Duration {
        STEP
    }

    fn now(&self) -> Duration {
        self.start.saturating_add(self.elapsed())
    }
}

impl HostMonotonicClock for Fixed {
    fn resolution(&self) -> u64 {
        u64::from(STEP.subsec_nanos())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
