//! A clock that shows the same in every run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lp_base::words::Clock;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock};

/// How much the clock goes on each time it is read: a guest that reads it until some time has passed comes to an end.
const STEP: Duration = Duration::from_micros(1);

/// Sets what time a guest sees.
pub fn set(wasi: &mut WasiCtxBuilder, clock: Clock) {
    let Clock::Fixed(start) = clock else { return };
    let clock = Fixed { start: start.since_epoch(), readings: Arc::default() };
    wasi.wall_clock(clock.clone()).monotonic_clock(clock);
}

/// Both of a guest's clocks, which go on together.
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
