//! Time, chance and order of simulated runs.

use std::sync::atomic::AtomicU64;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn nothing_is_left_of_a_simulation_that_has_ended() {
    let simulation = simulate(1, async |scheduler| {
        let waiting = scheduler.clone();
        // It still waits when the run ends.
        let task = scheduler.spawn(async move { waiting.sleep(HOUR).await });
        assert_eq!(scheduler.timeout(HOUR / 2, task).await.map(drop), Err(super::super::Elapsed));
        scheduler.simulation.as_ref().map(Arc::downgrade).expect("it is one")
    });
    assert_eq!(simulation.expect("it has an output").strong_count(), 0);
}

#[test]
fn time_skips_to_the_next_timer_and_stands_still_while_anything_runs() {
    let simulated = simulate(1, async |scheduler| {
        let started = scheduler.stopwatch();
        let day = scheduler.wall();
        let later = scheduler.clone();
        let hour = scheduler.spawn(async move { later.sleep(HOUR).await });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
        assert_eq!(scheduler.timeout(HOUR / 2, hour).await.map(drop), Err(super::super::Elapsed));
        assert_eq!(started.elapsed(), HOUR / 2);
        let mut interval = scheduler.interval(HOUR);
        interval.tick().await;
        interval.tick().await;
        assert_eq!(scheduler.wall().duration_since(day).ok(), Some(HOUR + HOUR / 2));
    });
    simulated.expect("it comes to an end");
}

#[test]
fn no_time_passes_while_a_thread_of_tokio_works() {
    let simulated = simulate(1, async |scheduler| {
        let started = scheduler.stopwatch();
        for _ in 0..3 {
            let work = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(20)));
            scheduler.timeout(HOUR, work).await.expect("it ends in no time").expect("it does not panic");
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
        scheduler.sleep(HOUR).await;
    });
    simulated.expect("it comes to an end");
}

#[test]
fn a_ticker_counts_the_periods_that_time_skips() {
    let ticks = Arc::new(AtomicU64::new(0));
    let counted = ticks.clone();
    let simulated = simulate(1, async |scheduler| {
        let tick = move |periods| {
            counted.fetch_add(periods, Ordering::Relaxed);
        };
        let ticking = scheduler.every("ticks", Duration::from_millis(10), tick).expect("it needs no thread");
        scheduler.sleep(Duration::from_millis(95)).await;
        assert_eq!(ticks.load(Ordering::Relaxed), 9);
        scheduler.pass(Duration::from_millis(5));
        assert_eq!(ticks.load(Ordering::Relaxed), 10);
        drop(ticking);
        scheduler.sleep(HOUR).await;
        let after = ticks.load(Ordering::Relaxed);
        scheduler.sleep(HOUR).await;
        assert_eq!(ticks.load(Ordering::Relaxed), after);
    });
    simulated.expect("it comes to an end");
}

/// The order in which ten tasks that are ready at once run.
fn order(seed: u64) -> Vec<u8> {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let simulated = simulate(seed, async |scheduler| {
        let mut tasks = JoinSet::new();
        for number in 0..10 {
            let ran = ran.clone();
            scheduler.spawn_in(&mut tasks, async move { ran.lock().expect("no task panics").push(number) });
        }
        tasks.join_all().await;
    });
    simulated.expect("it comes to an end");
    ran.lock().expect("no task panics").clone()
}

#[test]
fn the_seed_decides_on_the_order_of_tasks() {
    assert_eq!(order(1), order(1));
    let others = (2..12).filter(|&seed| order(seed) != order(1)).count();
    assert_eq!(others, 10, "ten tasks have millions of orders");
}

#[test]
fn the_seed_decides_on_the_random_numbers_of_each_stream_alone() {
    let drawn = |seed, streams: &[&str]| {
        let drawn = simulate(seed, async |scheduler| {
            streams.iter().map(|stream| scheduler.entropy(stream).expect("a simulation has some")).collect::<Vec<_>>()
        });
        drawn.expect("it comes to an end")
    };
    let [a, b, again] = drawn(1, &["a", "b", "a"])[..] else { panic!("it draws three times") };
    assert!(a != b && a != again && b != again);
    assert_eq!(drawn(1, &["a", "a"]), [a, again], "whatever other streams gave meanwhile");
    assert_ne!(drawn(2, &["a"]), [a]);
}

#[test]
fn a_simulation_in_which_nothing_can_happen_ends_with_an_error() {
    let simulated = simulate(1, async |_| Notify::new().notified().await);
    assert!(matches!(simulated, Err(SimulationError::Stalled)), "{simulated:?}");
}

#[test]
fn the_systems_scheduler_keeps_real_time_and_draws_other_numbers_each_time() {
    let scheduler = Scheduler::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it can be made");
    runtime.block_on(async {
        let started = scheduler.stopwatch();
        scheduler.sleep(Duration::from_millis(5)).await;
        assert!(started.elapsed() >= Duration::from_millis(5));
        assert_eq!(scheduler.timeout(Duration::ZERO, std::future::pending::<()>()).await, Err(super::super::Elapsed));
        assert_eq!(scheduler.spawn(async { 7 }).await.expect("it does not panic"), 7);
    });
    let [a, b] = [(); 2].map(|()| scheduler.entropy("a").expect("the system has randomness"));
    assert_ne!(a, b);
}
