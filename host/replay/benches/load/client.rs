//! Clients that cost so little that the server is what is measured: requests are bytes in which only the keys change.

use std::future::poll_fn;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::Request;
use prost::encoding;
use tokio::net::TcpStream;

/// How many connections there are, with a stream each.
const CONNECTIONS: usize = 4;

/// As many bytes and inserts may be in flight on one of them.
const IN_FLIGHT_BYTES: usize = 4 << 20;
const IN_FLIGHT: usize = 64;

/// As many samples are asked for at once, as the original's client does.
const SAMPLES: usize = 100;

/// Keys of which each has ten bytes.
const FIRST_KEY: u64 = 1 << 63;

#[derive(Clone, Copy, Debug)]
pub enum Work {
    Insert,
    Sample,
}

/// Does that many operations with items of `bytes`, and returns when the server has answered all of them.
pub fn run(address: &str, work: Work, bytes: usize, operations: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let each = operations / CONNECTIONS;
        let mut connections = Vec::new();
        for number in 0..CONNECTIONS {
            let address = address.to_owned();
            connections.push(tokio::spawn(async move {
                let client = connect(&address).await;
                match work {
                    Work::Insert => insert(client, number, bytes, each).await,
                    Work::Sample => sample(client, each).await,
                }
            }));
        }
        for connection in connections {
            connection.await.expect("the work is done");
        }
    });
}

async fn connect(address: &str) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("a socket");
    let builder = h2::client::Builder::new()
        .initial_window_size(8 << 20)
        .initial_connection_window_size(16 << 20)
        .max_send_buffer_size(16 << 20)
        .max_frame_size(1 << 20)
        .handshake(stream)
        .await;
    let (client, connection) = builder.expect("HTTP/2");
    tokio::spawn(connection);
    client.ready().await.expect("a connection")
}

async fn call(client: &mut SendRequest<Bytes>, method: &str) -> (SendStream<Bytes>, h2::client::ResponseFuture) {
    let uri = format!("http://localhost/deepmind.reverb.ReverbService/{method}");
    let request = Request::post(uri).header("content-type", "application/grpc").header("te", "trailers");
    let (response, send) = client.send_request(request.body(()).expect("a request"), false).expect("a stream");
    (send, response)
}

/// The messages of a stream.
struct Messages {
    stream: RecvStream,
    buffer: BytesMut,
}

impl Messages {
    async fn next(&mut self) -> Bytes {
        loop {
            if let [_, a, b, c, d, ..] = self.buffer[..] {
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.buffer.len() >= 5 + length {
                    return self.buffer.split_to(5 + length).freeze().slice(5..);
                }
            }
            let piece = poll_fn(|cx| self.stream.poll_data(cx)).await;
            let Some(piece) = piece else {
                panic!("the stream ended: {:?}", poll_fn(|cx| self.stream.poll_trailers(cx)).await);
            };
            let piece = piece.expect("the connection lives");
            let _ = self.stream.flow_control().release_capacity(piece.len());
            self.buffer.extend_from_slice(&piece);
        }
    }
}

/// A request with one item and its chunk, as bytes, and where its key is in them.
fn request(bytes: usize) -> (Vec<u8>, Vec<usize>) {
    let message = |fill: &dyn Fn(&mut Vec<u8>)| {
        let mut message = Vec::new();
        fill(&mut message);
        message
    };
    let put = |tag: u32, message: &Vec<u8>, into: &mut Vec<u8>| encoding::bytes::encode(tag, message, into);
    let shape = message(&|it| put(2, &message(&|it| encoding::int64::encode(1, &(bytes as i64 / 4), it)), it));
    // Random bytes, as compressed tensors are.
    let mut random = fastrand::Rng::with_seed(1);
    let content: Vec<u8> = (0..bytes).map(|_| random.u8(..)).collect();
    let tensor = message(&|it| {
        encoding::int32::encode(1, &1, it);
        put(2, &shape, it);
        put(4, &content, it);
    });
    let range = message(&|it| encoding::uint64::encode(1, &FIRST_KEY, it));
    let chunk = message(&|it| {
        encoding::uint64::encode(1, &FIRST_KEY, it);
        put(2, &range, it);
        put(5, &message(&|it| put(1, &tensor, it)), it);
        encoding::int32::encode(6, &1, it);
        encoding::int64::encode(7, &(bytes as i64), it);
    });
    let slice = message(&|it| {
        encoding::uint64::encode(1, &FIRST_KEY, it);
        encoding::int32::encode(3, &1, it);
    });
    let trajectory = message(&|it| put(1, &message(&|it| put(1, &slice, it)), it));
    let item = message(&|it| {
        encoding::uint64::encode(1, &FIRST_KEY, it);
        put(2, &b"t".to_vec(), it);
        encoding::double::encode(5, &1.0, it);
        put(8, &trajectory, it);
    });
    let request = message(&|it| {
        put(1, &chunk, it);
        put(2, &item, it);
        encoding::uint64::encode_packed(3, &[FIRST_KEY], it);
    });
    let mut framed = Vec::new();
    framed.put_u8(0);
    framed.put_u32(request.len() as u32);
    framed.extend(request);
    let key = message(&|it| encoding::encode_varint(FIRST_KEY, it));
    let places = (0..framed.len() - 9).filter(|at| framed[*at..].starts_with(&key)).collect();
    (framed, places)
}

async fn insert(mut client: SendRequest<Bytes>, number: usize, bytes: usize, operations: usize) {
    let (template, places) = request(bytes);
    assert_eq!(places.len(), 5, "chunk, episode, item, slice and what is kept");
    let (mut send, response) = call(&mut client, "InsertStream").await;
    let mut messages = None;
    let mut response = Some(response);
    // Keys of separate runs are separate: they begin at a random place.
    let mut key = FIRST_KEY + ((number as u64) << 60) + (fastrand::u64(..) >> 8);
    let (mut sent, mut acknowledged) = (0, 0);
    let in_flight = IN_FLIGHT.min(IN_FLIGHT_BYTES / bytes).max(2);
    while acknowledged < operations {
        let mut batch = BytesMut::new();
        while sent < operations && sent - acknowledged < in_flight {
            let start = batch.len();
            batch.extend_from_slice(&template);
            let mut varint = [0_u8; 10];
            encoding::encode_varint(key, &mut varint.as_mut_slice());
            for place in &places {
                batch[start + place..start + place + 10].copy_from_slice(&varint);
            }
            key += 1;
            sent += 1;
        }
        if !batch.is_empty() {
            send.send_data(batch.freeze(), false).expect("the stream lives");
        }
        if let Some(response) = response.take() {
            let stream = response.await.expect("a response").into_body();
            messages = Some(Messages { stream, buffer: BytesMut::new() });
        }
        let keys = messages.as_mut().expect("there was a response").next().await;
        acknowledged += acknowledged_in(&keys);
    }
}

/// How many keys are in a response.
fn acknowledged_in(response: &[u8]) -> usize {
    let mut reader = lp_base::protobuf::Reader(response);
    let mut count = 0;
    while let Some(keys) = reader.next_field().expect("a response") {
        // The last byte of each is of its own kind.
        count += keys.bytes().expect("packed keys").iter().filter(|byte| **byte < 0x80).count();
    }
    count
}

async fn sample(mut client: SendRequest<Bytes>, operations: usize) {
    let (mut send, response) = call(&mut client, "SampleStream").await;
    let mut response = Some(response);
    let mut samples: Option<Samples> = None;
    let mut done = 0;
    while done < operations {
        let count = SAMPLES.min(operations - done);
        let mut message = Vec::new();
        encoding::bytes::encode(1, &b"t".to_vec(), &mut message);
        encoding::int64::encode(2, &(count as i64), &mut message);
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(message.len() as u32);
        frame.put_slice(&message);
        send.send_data(frame.freeze(), false).expect("the stream lives");
        if let Some(response) = response.take() {
            let stream = response.await.expect("a response").into_body();
            samples = Some(Samples::new(stream));
        }
        let mut got = 0;
        while got < count {
            got += samples.as_mut().expect("there was a response").some().await;
        }
        assert_eq!(got, count, "as many as were asked for");
        done += got;
    }
}

/// Counts samples without keeping them. Each is one entry: an item has one chunk here.
struct Samples {
    stream: RecvStream,
    /// How much of the message and of its entry has not come.
    message: usize,
    entry: usize,
    /// What has come of a prefix, or of the head of an entry.
    head: Vec<u8>,
}

impl Samples {
    fn new(stream: RecvStream) -> Self {
        Self { stream, message: 0, entry: 0, head: Vec::new() }
    }

    /// How many are in the next piece.
    async fn some(&mut self) -> usize {
        let piece = poll_fn(|cx| self.stream.poll_data(cx)).await.expect("the stream goes on").expect("it lives");
        let _ = self.stream.flow_control().release_capacity(piece.len());
        let (mut rest, mut count) = (&piece[..], 0);
        while !rest.is_empty() {
            let skipped = self.entry.min(rest.len());
            rest = &rest[skipped..];
            self.entry -= skipped;
            self.message -= skipped;
            count += usize::from(skipped > 0 && self.entry == 0);
            if let [byte, after @ ..] = rest {
                rest = after;
                self.take_head(*byte);
            }
        }
        count
    }

    fn take_head(&mut self, byte: u8) {
        self.head.push(byte);
        match self.head[..] {
            [_, a, b, c, d] if self.message == 0 => self.message = u32::from_be_bytes([a, b, c, d]) as usize,
            // The field of an entry and its length.
            [0x0a, .., last] if self.message > 0 && last < 0x80 => {
                self.message -= self.head.len();
                self.entry = encoding::decode_varint(&mut &self.head[1..]).expect("a length") as usize;
            }
            _ => return,
        }
        self.head.clear();
    }
}
