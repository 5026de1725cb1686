//! How criterion measures what times itself: a number of calls made as one.

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};

/// A group for the ways to do the same work.
pub fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
    group
}

/// Measures one way, given the time that a number of repetitions takes.
pub fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut time: impl FnMut(u32) -> Duration) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|repetitions| time(u32::try_from(repetitions).expect("a second has fewer calls")));
    });
}
