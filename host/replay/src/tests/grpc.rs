//! What a client sees, over HTTP/2 on a pipe in memory.

use std::future::poll_fn;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::Request;
use lp_base::scheduler::{Scheduler, Task, simulate};
use prost::Message as _;

use super::{chunk_message, fifo, tables, trajectory};
use crate::grpc::Server;
use crate::service::Service;
use crate::table::{Gauge, LimiterSpec, TableSpec};
use crate::wire;

/// `InsertStreamRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct InsertRequest {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub chunks: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "2")]
    pub items: Vec<wire::PrioritizedItem>,
    #[prost(uint64, repeated, tag = "3")]
    pub keep: Vec<u64>,
}

/// `SampleStreamResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SampleResponse {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<SampleEntry>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SampleEntry {
    #[prost(message, optional, tag = "1")]
    info: Option<SampleInfo>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    data: Vec<Vec<u8>>,
    #[prost(bool, tag = "3")]
    is_end: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SampleInfo {
    #[prost(message, optional, tag = "1")]
    item: Option<wire::PrioritizedItem>,
    #[prost(double, tag = "2")]
    probability: f64,
    #[prost(int64, tag = "3")]
    table_size: i64,
    #[prost(bool, tag = "4")]
    rate_limited: bool,
}

pub(super) struct Client {
    requests: SendRequest<Bytes>,
    _tasks: [Task<()>; 2],
}

/// One call, whose messages a test sends and takes.
pub(super) struct Call {
    pub send: SendStream<Bytes>,
    receive: RecvStream,
    buffer: BytesMut,
}

impl Client {
    pub async fn new(service: &Service, scheduler: &Scheduler) -> Self {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let server = Server { service: service.clone(), checkpointer: None };
        let serving = scheduler.spawn(server.serve_connection(theirs));
        let (requests, connection) = h2::client::handshake(ours).await.unwrap();
        let connection = scheduler.spawn(async move { drop(connection.await) });
        Self { requests, _tasks: [serving, connection] }
    }

    pub async fn call(&self, method: &str) -> Call {
        let uri = format!("http://localhost/deepmind.reverb.ReverbService/{method}");
        let request = Request::post(uri).body(()).unwrap();
        let (response, send) = self.requests.clone().ready().await.unwrap().send_request(request, false).unwrap();
        let receive = response.await.unwrap().into_body();
        Call { send, receive, buffer: BytesMut::new() }
    }

    /// What a call with one request comes to: the bytes of its response, or its status.
    pub async fn unary(&self, method: &str, request: impl prost::Message) -> Result<Bytes, (u16, String)> {
        let mut call = self.call(method).await;
        call.send(&request);
        call.end();
        match call.next().await {
            Some(response) => Ok(response),
            None => Err(call.status().await),
        }
    }
}

impl Call {
    pub fn send(&mut self, message: &impl prost::Message) {
        self.send_bytes(&message.encode_to_vec());
    }

    pub fn send_bytes(&mut self, message: &[u8]) {
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(message.len() as u32);
        frame.put_slice(message);
        // A server that has answered already takes no more.
        let _ = self.send.send_data(frame.freeze(), false);
    }

    pub fn end(&mut self) {
        let _ = self.send.send_data(Bytes::new(), true);
    }

    /// The bytes of the next message; `None` when there are no more.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.buffer.len() >= 5 {
                let length = u32::from_be_bytes(self.buffer[1..5].try_into().unwrap()) as usize;
                if self.buffer.len() >= 5 + length {
                    return Some(self.buffer.split_to(5 + length).freeze().slice(5..));
                }
            }
            let piece = poll_fn(|cx| self.receive.poll_data(cx)).await?.unwrap();
            self.receive.flow_control().release_capacity(piece.len()).unwrap();
            self.buffer.extend_from_slice(&piece);
        }
    }

    async fn next_as<M: prost::Message + Default>(&mut self) -> M {
        M::decode(self.next().await.expect("there is a message")).unwrap()
    }

    /// The status of a call that has sent all of its messages.
    pub async fn status(&mut self) -> (u16, String) {
        assert_eq!(self.next().await, None);
        let trailers = poll_fn(|cx| self.receive.poll_trailers(cx)).await.unwrap().unwrap();
        let text = |name: &str| trailers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        (text("grpc-status").parse().unwrap(), text("grpc-message"))
    }

    pub async fn keys(&mut self) -> Vec<u64> {
        self.next_as::<wire::InsertStreamResponse>().await.keys
    }

    pub fn ask(&mut self, table: &str, num_samples: i64, timeout: Option<i64>) {
        let rate_limiter_timeout = timeout.map(|milliseconds| wire::Timeout { milliseconds });
        self.send(&wire::SampleStreamRequest { table: table.to_owned(), num_samples, rate_limiter_timeout });
    }
}

fn wire_item(key: u64, table: &str, chunks: &[u64]) -> wire::PrioritizedItem {
    let flat_trajectory = trajectory(chunks).into();
    wire::PrioritizedItem { key, table: table.to_owned(), priority: 1.0, flat_trajectory, ..Default::default() }
}

/// A request with an item that has a chunk of its own.
pub(super) fn request(key: u64, table: &str, bytes: usize) -> InsertRequest {
    InsertRequest { chunks: vec![chunk_message(key, bytes)], items: vec![wire_item(key, table, &[key])], keep: vec![] }
}

fn check<F: Future<Output = ()>>(specs: &[TableSpec], test: impl Fn(Client, Service, Scheduler) -> F) {
    for seed in 0..5 {
        let run = simulate(seed, async |scheduler| {
            let service = Service::new(tables(specs), Gauge::default(), scheduler.clone()).unwrap();
            let client = Client::new(&service, &scheduler).await;
            test(client, service, scheduler).await;
        });
        run.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
    }
}

const TIMED_OUT: &str = "Rate Limiter: Timeout exceeded before the right to insert was acquired.";

#[test]
fn an_insert_is_acknowledged_once_it_is_in() {
    check(&[TableSpec::queue("q", 1)], async |client, service, scheduler| {
        let mut insert = client.call("InsertStream").await;
        insert.send(&request(1, "q", 10));
        assert_eq!(insert.keys().await, [1]);
        insert.send(&request(2, "q", 10));
        insert.end();
        scheduler.sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(service.info()[0].counts.inserts, 1);
        // On the same connection, whose insert stream is not read.
        let mut sample = client.call("SampleStream").await;
        sample.ask("q", 2, None);
        for key in [1, 2] {
            let response: SampleResponse = sample.next_as().await;
            let [entry] = &response.entries[..] else { panic!("{response:?}") };
            let info = entry.info.as_ref().unwrap();
            let item = info.item.as_ref().unwrap();
            assert_eq!((item.key, item.times_sampled, item.table.as_str()), (key, 1, "q"));
            assert_eq!((info.probability, info.table_size, entry.is_end), (1.0, 1, true));
            assert_eq!(entry.data, [chunk_message(key, 10)]);
        }
        assert_eq!(insert.keys().await, [2]);
        assert_eq!(insert.status().await, (0, String::new()));
        sample.end();
        assert_eq!(sample.status().await, (0, String::new()));
    });
}

#[test]
fn a_stream_fails_with_the_texts_that_clients_know() {
    let negative = |mut request: InsertRequest| {
        request.items[0].priority = f64::NAN;
        request
    };
    let with_chunks = |chunks: &[u64], keep: &[u64]| InsertRequest {
        chunks: vec![chunk_message(1, 10)],
        items: vec![wire_item(1, "t", chunks)],
        keep: keep.to_vec(),
    };
    for (request, code, text) in [
        (InsertRequest::default(), 3, "the request has neither chunks nor items"),
        (request(1, "u", 10), 5, "Priority table u was not found"),
        (with_chunks(&[1, 7], &[]), 13, "Could not find sequence chunk 7."),
        (with_chunks(&[1], &[1, 8]), 9, "chunk 8 is to be kept, but the stream does not have it"),
        (with_chunks(&[], &[]), 3, "Item trajectory must not be empty. (item 1)"),
        (negative(request(1, "t", 10)), 3, "Priority must not be NaN. (item 1)"),
    ] {
        check(&[fifo("t", 10)], async |client, _, _| {
            let mut insert = client.call("InsertStream").await;
            insert.send(&request);
            let mut status = None;
            // The item of the fourth is in before what it keeps is looked at.
            while status.is_none() {
                match insert.next().await {
                    Some(keys) => assert_eq!(wire::InsertStreamResponse::decode(keys).unwrap().keys, [1]),
                    None => status = Some(insert.status().await),
                }
            }
            assert_eq!(status, Some((code, text.to_owned())));
        });
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, cases: 2000, ..Default::default() })]

    #[test]
    fn no_request_or_record_breaks_anything(
        changes in proptest::collection::vec((0..400_usize, proptest::prelude::any::<u8>()), 0..6),
        length in 0..400_usize,
    ) {
        let chunks = vec![chunk_message(1, 20), chunk_message(2, 20)];
        let request = InsertRequest { chunks, items: vec![wire_item(1, "t", &[1, 2])], keep: vec![1] };
        let record = wire_item(1, "t", &[1, 2]);
        let service = Service::new(tables(&[fifo("t", 10)]), Gauge::default(), Scheduler::default()).unwrap();
        for mut bytes in [request.encode_to_vec(), record.encode_to_vec(), chunk_message(1, 20)] {
            for (place, byte) in &changes {
                let place = place % bytes.len();
                bytes[place] = *byte;
            }
            bytes.truncate(length);
            crate::grpc::fuzz(&service, &bytes);
            crate::checkpoint::fuzz(&bytes);
        }
        service.reset("t").unwrap();
        assert_eq!(service.gauge().bytes(), 0);
    }
}

#[test]
fn samples_fail_with_the_texts_that_clients_know() {
    for (table, count, timeout, code, text) in [
        ("t", 1, Some(500), 4, TIMED_OUT),
        ("t", 1, Some(0), 4, TIMED_OUT),
        ("t", 0, None, 3, "`num_samples` must be > 0 (got 0)."),
        ("u", 1, None, 5, "Priority table u was not found"),
    ] {
        check(&[fifo("t", 10)], async |client, _, scheduler| {
            let watch = scheduler.stopwatch();
            let mut sample = client.call("SampleStream").await;
            sample.ask(table, count, timeout);
            assert_eq!(sample.status().await, (code, text.to_owned()));
            let waited = timeout.filter(|_| code == 4).unwrap_or(0);
            assert_eq!(watch.elapsed().as_millis(), waited as u128);
        });
    }
}

#[test]
fn chunks_that_are_kept_serve_later_items_and_others_are_freed() {
    check(&[fifo("t", 10)], async |client, service, _| {
        let mut insert = client.call("InsertStream").await;
        let chunks = vec![chunk_message(1, 1000), chunk_message(2, 1000), chunk_message(1, 1000)];
        // Chunks alone keep what is there, whatever the request says.
        insert.send(&InsertRequest { chunks, items: vec![], keep: vec![9] });
        insert.send(&InsertRequest { chunks: vec![], items: vec![wire_item(1, "t", &[1, 2, 1])], keep: vec![2] });
        assert_eq!(insert.keys().await, [1]);
        insert.send(&InsertRequest { chunks: vec![], items: vec![wire_item(2, "t", &[2])], keep: vec![] });
        assert_eq!(insert.keys().await, [2]);
        assert_eq!(service.gauge().bytes() / 1000, 2);
        service.mutate("t", &[], &[crate::table::ItemKey(1)]).unwrap();
        assert_eq!(service.gauge().bytes() / 1000, 1);
        service.reset("t").unwrap();
        assert_eq!(service.gauge().bytes(), 0);
    });
}

#[test]
fn a_large_item_comes_in_several_messages() {
    const BYTES: usize = 1_500_000;
    check(&[fifo("t", 10)], async |client, _, _| {
        let mut insert = client.call("InsertStream").await;
        let chunks = (1..=5).map(|key| chunk_message(key, BYTES)).collect();
        insert.send(&InsertRequest { chunks, items: vec![wire_item(9, "t", &[1, 2, 3, 4, 5])], keep: vec![] });
        assert_eq!(insert.keys().await, [9]);
        let mut sample = client.call("SampleStream").await;
        sample.ask("t", 1, None);
        let mut found = Vec::new();
        for (first, count, is_end) in [(true, 2, false), (false, 2, false), (false, 1, true)] {
            let response: SampleResponse = sample.next_as().await;
            let [entry] = &response.entries[..] else { panic!("{} entries", response.entries.len()) };
            assert_eq!((entry.info.is_some(), entry.data.len(), entry.is_end), (first, count, is_end));
            found.extend(entry.data.clone());
        }
        assert!(found.into_iter().eq((1..=5).map(|key| chunk_message(key, BYTES))));
    });
}

#[test]
fn a_client_that_reads_nothing_is_sent_little() {
    check(&[fifo("t", 10)], async |client, service, scheduler| {
        let mut insert = client.call("InsertStream").await;
        insert.send(&request(1, "t", 100_000));
        assert_eq!(insert.keys().await, [1]);
        let mut sample = client.call("SampleStream").await;
        sample.ask("t", 1_000_000, None);
        scheduler.sleep(std::time::Duration::from_secs(60)).await;
        let sampled = service.info()[0].counts.samples;
        assert!((1..60).contains(&sampled), "{sampled} samples of 100 kB were made for a client that takes none");
        // Another client is served all the same.
        let other = Client::new(&service, &scheduler).await;
        let mut other = other.call("InsertStream").await;
        other.send(&request(2, "t", 10));
        assert_eq!(other.keys().await, [2]);
    });
}

#[test]
fn a_client_whose_inserts_wait_is_not_read() {
    let limiter = LimiterSpec::queue(1);
    check(&[TableSpec { limiter, ..fifo("t", 10) }], async |client, service, scheduler| {
        let mut insert = client.call("InsertStream").await;
        for key in 0..100 {
            insert.send(&request(key, "t", 10_000));
        }
        let mut idle = Vec::new();
        for _ in 0..100 {
            idle.push(client.call("InsertStream").await);
        }
        scheduler.sleep(std::time::Duration::from_secs(60)).await;
        assert!(service.gauge().bytes() < 50_000, "{} bytes were taken", service.gauge().bytes());
        service.set_limiter("t", LimiterSpec::min_size(1)).unwrap().unwrap();
        let mut keys = Vec::new();
        while keys.len() < 100 {
            keys.extend(insert.keys().await);
        }
        assert!(keys.into_iter().eq(0..100));
    });
}

#[test]
fn what_a_client_gives_up_does_not_wait() {
    check(&[TableSpec { limiter: LimiterSpec::min_size(2), ..fifo("t", 10) }], async |client, service, scheduler| {
        let second = std::time::Duration::from_secs(1);
        let mut sample = client.call("SampleStream").await;
        sample.ask("t", 1, None);
        scheduler.sleep(second).await;
        assert_eq!(service.waits().len(), 1);
        sample.send.send_reset(h2::Reason::CANCEL);
        scheduler.sleep(second).await;
        assert!(service.waits().is_empty());
    });
}

#[test]
fn the_small_calls_answer() {
    let signature = Some(Bytes::from_static(b"\x0a\x00"));
    check(&[TableSpec { signature: signature.clone(), ..fifo("t", 7) }], async |client, service, _| {
        let info = wire::ServerInfoResponse::decode(client.unary("ServerInfo", ()).await.unwrap()).unwrap();
        let id = info.tables_state_id.unwrap();
        assert_eq!((id.high, id.low), service.state_id());
        assert_eq!((info.table_info[0].max_size, &info.table_info[0].signature), (7, &signature));
        let reset = |table: &str| wire::ResetRequest { table: table.to_owned() };
        assert_eq!(client.unary("Reset", reset("t")).await, Ok(Bytes::new()));
        let (code, _) = client.unary("Reset", reset("u")).await.unwrap_err();
        assert_eq!(code, 5);
        assert_eq!(client.unary("InitializeConnection", ()).await, Ok(Bytes::new()), "the address is 0");
        let no_checkpointer = (3, "no Checkpointer configured for the replay service.".to_owned());
        assert_eq!(client.unary("Checkpoint", ()).await, Err(no_checkpointer));
        assert_eq!(client.unary("Nothing", ()).await.unwrap_err().0, 12);
        let mut call = client.call("MutatePriorities").await;
        call.send_bytes(&[0x0a, 0xff]);
        assert_eq!(call.status().await.0, 3);
    });
}
