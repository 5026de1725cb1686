//! Streams whose clients stop in the middle: what they hold has a limit, and others are served.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use lp_base::scheduler::{Scheduler, simulate};

use super::grpc::{Call, Client, InsertRequest, request};
use super::{chunk_message, fifo, tables};
use crate::service::{MemoryLimit, Service};
use crate::table::Gauge;

const MIB: usize = 1 << 20;

/// A quarter of it is for items to come.
const LIMIT: MemoryLimit = MemoryLimit { bytes: 16 * MIB, evicts: false };

fn check<F: Future<Output = ()>>(test: impl Fn(Service, Scheduler) -> F) {
    for seed in 0..5 {
        let run = simulate(seed, async |scheduler| {
            let made = Service::limited(tables(&[fifo("t", 2000)]), Gauge::default(), Some(LIMIT), scheduler.clone());
            test(made.unwrap(), scheduler).await;
        });
        run.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
    }
}

fn chunk_alone(key: u64, bytes: usize) -> InsertRequest {
    InsertRequest { chunks: vec![chunk_message(key, bytes)], ..Default::default() }
}

/// The status of a call that has room for what the test sends to it.
async fn check_too_much(call: &mut Call) {
    let (code, text) = call.status().await;
    assert_eq!(code, 8);
    assert!(text.contains("a quarter of the node's `limits.memory`"), "{text}");
}

#[test]
fn whoever_holds_most_for_items_to_come_has_to_let_go() {
    check(async |service, scheduler| {
        let (greedy, modest) = (Client::new(&service, &scheduler).await, Client::new(&service, &scheduler).await);
        let (mut greedy, mut modest) = (greedy.call("InsertStream").await, modest.call("InsertStream").await);
        for key in 0..3 {
            greedy.send(&chunk_alone(key, MIB));
        }
        for key in 10..12 {
            scheduler.sleep(Duration::from_secs(1)).await;
            modest.send(&chunk_alone(key, MIB - 1000));
        }
        check_too_much(&mut greedy).await;
        assert!(service.gauge().bytes() < 2 * MIB, "{} bytes are held", service.gauge().bytes());
        // The other one's chunks are all there.
        modest.send(&InsertRequest { chunks: vec![], ..request(11, "t", 0) });
        assert_eq!(modest.keys().await, [11]);
    });
}

#[test]
fn a_message_that_never_ends_counts_as_it_comes() {
    check(async |service, scheduler| {
        let client = Client::new(&service, &scheduler).await;
        let mut endless = client.call("InsertStream").await;
        let mut head = BytesMut::new();
        head.put_u8(0);
        head.put_u32(u32::MAX);
        endless.send.send_data(head.freeze(), false).unwrap();
        for _ in 0..3 {
            endless.send.send_data(Bytes::from(vec![0; 2 * MIB]), false).unwrap();
        }
        check_too_much(&mut endless).await;
        let other = Client::new(&service, &scheduler).await;
        let mut other = other.call("InsertStream").await;
        other.send(&request(1, "t", 1000));
        assert_eq!(other.keys().await, [1]);
    });
}

#[test]
fn only_inserts_are_long() {
    check(async |service, scheduler| {
        let client = Client::new(&service, &scheduler).await;
        let mut call = client.call("SampleStream").await;
        let mut head = BytesMut::new();
        head.put_u8(0);
        head.put_u32(65 << 20);
        call.send.send_data(head.freeze(), false).unwrap();
        assert_eq!(call.status().await, (8, "a message of this method has at most 67108864 bytes".to_owned()));
    });
}

#[test]
fn a_thousand_streams_that_say_nothing_hold_up_nobody() {
    check(async |service, scheduler| {
        let (idle, client) = (Client::new(&service, &scheduler).await, Client::new(&service, &scheduler).await);
        let mut streams = Vec::new();
        for method in ["InsertStream", "SampleStream"].into_iter().cycle().take(1000) {
            streams.push(idle.call(method).await);
        }
        let (mut insert, mut sample) = (client.call("InsertStream").await, client.call("SampleStream").await);
        for key in 0..1000 {
            insert.send(&request(key, "t", 100));
        }
        let mut keys = Vec::new();
        while keys.len() < 1000 {
            keys.extend(insert.keys().await);
        }
        sample.ask("t", 100, None);
        assert!(sample.next().await.is_some());
        // On their own connection as well.
        streams[0].send(&request(1000, "t", 100));
        assert_eq!(streams[0].keys().await, [1000]);
    });
}
