//! Those who wait for a table.

use std::time::Duration;

use lp_base::scheduler::{Scheduler, simulate};

use super::{fifo, item, tables};
use crate::service::{Progress, Service, ServiceError, TablesError, Wanted};
use crate::table::{Gauge, ItemKey, LimiterSpec, PriorityError, SelectorKind, TableSpec};

/// Runs `test` with a service of these tables in virtual time.
fn check<F: Future<Output = ()>>(specs: &[TableSpec], test: impl Fn(Service, Scheduler) -> F) {
    for seed in 0..20 {
        let run = simulate(seed, |scheduler| {
            test(Service::new(tables(specs), Gauge::default(), scheduler.clone()).unwrap(), scheduler)
        });
        run.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_full_queue_lets_an_insert_in_when_a_sample_makes_room() {
    check(&[TableSpec::queue("q", 1)], async |service, scheduler| {
        let gauge = service.gauge().clone();
        service.insert("q", item(1, &gauge), 1.0, None).await.unwrap();
        let (other, other_gauge) = (service.clone(), gauge.clone());
        let second = scheduler.spawn(async move { other.insert("q", item(2, &other_gauge), 1.0, None).await });
        scheduler.sleep(SECOND).await;
        let waits = service.waits();
        assert_eq!((waits.len(), waits[0].wanted, waits[0].count), (1, Wanted::Insert, 1));
        assert_eq!(waits[0].time, SECOND);
        assert_eq!(
            waits[0].reason,
            "1 inserts × 1 − 0 samples = 1; one more insert would bring that above max_diff (1)"
        );
        assert_eq!(service.info()[0].counts.inserts, 1);
        let batch = service.sample("q", 5, None).await.unwrap();
        assert_eq!((batch.samples.len(), batch.was_limited), (1, false));
        second.await.unwrap().unwrap();
        assert!(service.waits().is_empty());
        assert_eq!(service.sample("q", 1, None).await.unwrap().samples[0].item.key(), ItemKey(2));
    });
}

#[test]
fn a_sample_waits_for_an_insert_and_gets_what_there_is() {
    check(&[TableSpec { limiter: LimiterSpec::min_size(2), ..fifo("t", 10) }], async |service, scheduler| {
        let gauge = service.gauge().clone();
        service.insert("t", item(1, &gauge), 1.0, None).await.unwrap();
        let other = service.clone();
        let sample = scheduler.spawn(async move { other.sample("t", 3, Some(10 * SECOND)).await });
        scheduler.sleep(SECOND).await;
        let waits = service.waits();
        assert_eq!(waits[0].reason, "the table has 1 of the 2 items that must be there before any is sampled");
        assert_eq!((waits[0].wanted, waits[0].time), (Wanted::Sample, SECOND));
        service.insert("t", item(2, &gauge), 1.0, None).await.unwrap();
        let batch = sample.await.unwrap().unwrap();
        assert_eq!((batch.samples.len(), batch.was_limited), (3, true));
    });
}

#[test]
fn a_wait_ends_with_its_time_and_nothing_is_lost_by_it() {
    check(&[TableSpec::queue("q", 1)], async |service, scheduler| {
        let gauge = service.gauge().clone();
        let watch = scheduler.stopwatch();
        assert_eq!(service.sample("q", 1, Some(SECOND)).await.unwrap_err(), ServiceError::TimedOut);
        assert_eq!(watch.elapsed(), SECOND);
        assert_eq!(service.sample("q", 1, Some(Duration::ZERO)).await.unwrap_err(), ServiceError::TimedOut);
        assert_eq!(watch.elapsed(), SECOND);
        service.insert("q", item(1, &gauge), 1.0, Some(SECOND)).await.unwrap();
        let refused = service.insert("q", item(2, &gauge), 1.0, Some(SECOND)).await;
        assert_eq!(refused, Err(ServiceError::TimedOut));
        assert!(service.waits().is_empty(), "those who gave up do not wait");
        let batch = service.sample("q", 9, None).await.unwrap();
        assert_eq!(batch.samples.len(), 1, "the insert that timed out is not there");
        assert_eq!(service.sample("q", 1, Some(SECOND)).await.unwrap_err(), ServiceError::TimedOut);
        drop(batch);
        assert_eq!(gauge.bytes(), 0);
    });
}

#[test]
fn a_sender_hears_when_it_should_send_no_more() {
    check(&[TableSpec { limiter: LimiterSpec::queue(1), ..fifo("t", 30) }], async |service, _| {
        let gauge = service.gauge().clone();
        let mut inserts = service.inserts();
        assert_eq!(inserts.insert("t", item(0, &gauge), 1.0), Ok(Progress::Done));
        // A tenth of the table's size may wait.
        for key in 1..=3 {
            assert!(!inserts.is_full());
            assert_eq!(inserts.insert("t", item(key, &gauge), 1.0), Ok(Progress::Waits));
        }
        assert!(inserts.is_full());
        for key in 1..=3 {
            service.sample("t", 1, None).await.unwrap();
            let done = std::future::poll_fn(|cx| inserts.poll_done(cx)).await;
            assert_eq!(done, Ok(ItemKey(key)));
            assert!(!inserts.is_full());
        }
    });
}

#[test]
fn a_sender_that_goes_leaves_no_more_than_may_wait() {
    check(&[TableSpec { limiter: LimiterSpec::queue(1), ..fifo("t", 30) }], async |service, _| {
        let gauge = service.gauge().clone();
        service.insert("t", item(0, &gauge), 1.0, None).await.unwrap();
        for _ in 0..10 {
            let mut inserts = service.inserts();
            for key in 1..=5 {
                inserts.insert("t", item(key, &gauge), 1.0).unwrap();
            }
        }
        assert!(service.waits()[0].count <= 3, "{:?}", service.waits());
    });
}

#[test]
fn changes_let_those_who_wait_go_on() {
    check(&[TableSpec::queue("q", 1)], async |service, scheduler| {
        let gauge = service.gauge().clone();
        let changes: [fn(&Service); 3] = [
            |service| service.reset("q").unwrap(),
            |service| service.mutate("q", &[], &[ItemKey(1)]).unwrap(),
            |service| service.set_limiter("q", LimiterSpec::queue(100)).unwrap().unwrap(),
        ];
        for change in changes {
            service.reset("q").unwrap();
            service.insert("q", item(1, &gauge), 1.0, None).await.unwrap();
            let (other, other_gauge) = (service.clone(), gauge.clone());
            let second =
                scheduler.spawn(async move { other.insert("q", item(2, &other_gauge), 1.0, Some(SECOND * 2)).await });
            scheduler.sleep(SECOND).await;
            change(&service);
            assert_eq!(second.await.unwrap(), Ok(()));
        }
    });
}

#[test]
fn a_closed_service_lets_nobody_wait() {
    check(&[TableSpec::queue("q", 1)], async |service, scheduler| {
        let gauge = service.gauge().clone();
        let other = service.clone();
        let sample = scheduler.spawn(async move { other.sample("q", 1, None).await.map(drop) });
        scheduler.sleep(SECOND).await;
        service.close();
        assert_eq!(sample.await.unwrap(), Err(ServiceError::Closed));
        assert_eq!(service.insert("q", item(1, &gauge), 1.0, None).await, Err(ServiceError::Closed));
        assert_eq!(service.sample("q", 1, None).await.unwrap_err(), ServiceError::Closed);
    });
}

#[test]
fn a_bad_priority_changes_nothing() {
    let kind = SelectorKind::Prioritized { exponent: 1.0 };
    check(&[TableSpec { sampler: kind, ..fifo("t", 10) }], async |service, _| {
        let gauge = service.gauge().clone();
        let negative = Err(ServiceError::Priority(PriorityError::Negative));
        assert_eq!(service.insert("t", item(1, &gauge), -1.0, None).await, negative);
        service.insert("t", item(1, &gauge), 1.0, None).await.unwrap();
        let updates = [(ItemKey(1), 5.0), (ItemKey(1), -1.0)];
        assert_eq!(service.mutate("t", &updates, &[ItemKey(1)]), negative);
        let sample = &service.sample("t", 1, None).await.unwrap().samples[0];
        assert_eq!((sample.priority, sample.probability), (1.0, 1.0));
    });
}

#[test]
fn tables_have_names_of_their_own() {
    let new = |specs: &[TableSpec]| {
        Service::new(tables(specs), Gauge::default(), Scheduler::default()).map(drop).unwrap_err()
    };
    assert_eq!(new(&[]), TablesError::None);
    assert_eq!(new(&[fifo("a", 1), fifo("a", 2)]), TablesError::SameName("a".to_owned()));
    check(&[fifo("a", 1)], async |service, _| {
        assert_eq!(service.reset("b"), Err(ServiceError::NoTable("b".to_owned())));
    });
}
