//! What a client outside of the program gets for what it does and leaves undone, over a connection in memory.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::future::join_all;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::{Request, Response};
use lp_base::calls::ReplicaIndex;
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::super::public::{Public, PublicSchema};
use super::super::service::{ServedReplica, Service, Services};
use super::{ClientPolicy, Clients, Guard, Scheduler, serve_client};
use crate::{Callers, Exchange, Mailbox, Peer, Room};

const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// A node that echoes what it is sent, each call once there is a permit for it.
struct Node {
    services: Services,
    _sender: watch::Sender<Arc<Service>>,
    clients: Arc<Clients>,
    permits: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
}

impl Node {
    fn new(policy: ClientPolicy) -> Self {
        let room = Room { calls: 1_000_000, bytes: u64::MAX };
        let mailbox = Mailbox::new(
            "a/0".to_owned(),
            ReplicaIndex(0),
            Callers::default(),
            room,
            Exchange::new(1),
            Scheduler::default(),
        );
        let mailbox = Arc::new(mailbox);
        mailbox.open();
        let (permits, begun) = (Arc::new(Semaphore::new(0)), Arc::<AtomicUsize>::default());
        let (calls, free, count) = (mailbox.clone(), permits.clone(), begun.clone());
        tokio::spawn(async move {
            while let Some(call) = poll_fn(|cx| calls.poll_next(cx)).await {
                count.fetch_add(1, Ordering::SeqCst);
                let (calls, free) = (calls.clone(), free.clone());
                tokio::spawn(async move {
                    let (_, request, _, answering) = call.split();
                    free.acquire().await.expect("it is not closed").forget();
                    calls.answer(answering, Ok(request));
                });
            }
        });
        let schema = PublicSchema { descriptors: [Vec::new(), Vec::new()], types: Some(vec![0x0a, 0]) };
        let public = Public::new(
            &schema,
            vec!["test.Echo".to_owned()],
            vec![mailbox.readiness()],
            Box::new(|_, _| Ok(())),
            &Scheduler::default(),
        );
        let replica = ServedReplica {
            peer: Peer::Local(mailbox),
            methods: Arc::new(HashMap::from([("/test.Echo/Echo".to_owned(), 0)])),
            permits: Arc::default(),
        };
        let service = Service::public(vec![replica], MESSAGE_BYTES_MAX, public.expect("it can be served"));
        let (sender, services) = watch::channel(Arc::new(service));
        Self {
            services,
            _sender: sender,
            clients: Clients::new(policy, Guard::default(), Scheduler::default()),
            permits,
            begun,
        }
    }

    /// A connection on which nothing has been sent.
    fn connect(&self) -> (DuplexStream, JoinHandle<()>) {
        let (client, server) = tokio::io::duplex(1 << 20);
        (client, tokio::spawn(serve_client(server, self.services.clone(), self.clients.clone())))
    }

    /// A connection that calls can be made on, and its end.
    async fn client(&self) -> (SendRequest<Bytes>, JoinHandle<()>) {
        let (stream, serving) = self.connect();
        let (sender, connection) = h2::client::handshake(stream).await.expect("the server is there");
        tokio::spawn(connection);
        (sender.ready().await.expect("the server is there"), serving)
    }
}

fn request(headers: &[(&str, &str)]) -> Request<()> {
    let request = Request::post("http://a/test.Echo/Echo").header("content-type", "application/grpc");
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).expect("it is one")
}

/// A message as it goes on a stream, which may say that it is longer than it is.
fn frame(message: &[u8], length: usize) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(length as u32);
    frame.put_slice(message);
    frame.freeze()
}

fn begin(sender: &mut SendRequest<Bytes>, headers: &[(&str, &str)]) -> (ResponseFuture, SendStream<Bytes>) {
    sender.send_request(request(headers), false).expect("the connection is open")
}

/// Begins a call with the whole `body`.
fn send(sender: &mut SendRequest<Bytes>, headers: &[(&str, &str)], body: Bytes) -> ResponseFuture {
    let (response, mut stream) = begin(sender, headers);
    stream.send_data(body, true).expect("the connection is open");
    response
}

/// The status of a call, and its message or text.
async fn ended(response: ResponseFuture) -> (String, Vec<u8>) {
    let response = match response.await {
        Ok(response) => response,
        Err(error) => return (format!("{error}"), Vec::new()),
    };
    let text = |response: &Response<_>, name: &str| {
        response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    if let Some(status) = text(&response, "grpc-status") {
        return (status, text(&response, "grpc-message").unwrap_or_default().into_bytes());
    }
    let mut body = response.into_body();
    let mut message = Vec::new();
    while let Some(Ok(piece)) = body.data().await {
        let _ = body.flow_control().release_capacity(piece.len());
        message.extend_from_slice(&piece);
    }
    let trailers = body.trailers().await.ok().flatten().unwrap_or_default();
    let status = trailers.get("grpc-status").map_or("none", |status| status.to_str().expect("a number"));
    (status.to_owned(), message.split_off(5.min(message.len())))
}

fn text(told: &[u8]) -> String {
    String::from_utf8_lossy(told).replace("%20", " ").replace("%60", "`").replace("%28", "(").replace("%29", ")")
}

#[tokio::test]
async fn a_client_that_cancels_many_calls_keeps_its_connection_and_its_other_calls() {
    let node = Node::new(ClientPolicy::default());
    let (mut sender, _serving) = node.client().await;
    let others: Vec<_> = (0..20).map(|number| send(&mut sender, &[], frame(&[number], 1))).collect();
    for _ in 0..3 {
        let cancelled: Vec<_> = (0..200).map(|_| begin(&mut sender, &[])).collect();
        for (_response, mut stream) in cancelled {
            stream.send_reset(Reason::CANCEL);
        }
    }
    node.permits.add_permits(1000);
    for (number, other) in others.into_iter().enumerate() {
        assert_eq!(ended(other).await, ("0".to_owned(), vec![number as u8]));
    }
    assert_eq!(ended(send(&mut sender, &[], frame(b"after", 5))).await.1, b"after");
}

#[tokio::test]
async fn a_request_that_is_not_one_message_begins_nothing() {
    let node = Node::new(ClientPolicy::default());
    node.permits.add_permits(100);
    let (mut sender, _serving) = node.client().await;
    let two = [frame(b"one", 3), frame(b"two", 3)].concat();
    let cases: [(Bytes, &str, &str); 5] = [
        (Bytes::new(), "12", "the method takes one message, and the request has none"),
        (two.into(), "12", "the method takes one message, and the request has more than one"),
        (frame(b"half", 8), "3", "the request ended in the middle of its message"),
        (frame(b"", MESSAGE_BYTES_MAX + 1), "11", "larger than the program's message limit"),
        (Bytes::from_static(&[1, 0, 0, 0, 1, 7]), "12", "messages can't be compressed"),
    ];
    for (body, status, told) in cases {
        let (found, message) = ended(send(&mut sender, &[], body)).await;
        assert_eq!(found, status, "{told}");
        assert!(text(&message).replace("%27", "'").contains(told), "{} for {told}", text(&message));
    }
    let no_time = ended(send(&mut sender, &[("grpc-timeout", "0n")], frame(b"late", 4))).await;
    assert_eq!(no_time.0, "4");
    let malformed = ended(send(&mut sender, &[("grpc-timeout", "soon")], frame(b"", 0))).await;
    assert_eq!(malformed.0, "3");
    assert_eq!(node.begun.load(Ordering::SeqCst), 0);
    assert_eq!(ended(send(&mut sender, &[], frame(b"", 0))).await, ("0".to_owned(), Vec::new()));
}

#[tokio::test]
async fn unfinished_messages_count_as_they_come_until_nobody_waits_for_them() {
    let node = Node::new(ClientPolicy { bytes_max: 8 << 20, ..ClientPolicy::default() });
    node.permits.add_permits(100);
    let (mut sender, _serving) = node.client().await;
    // What is only announced takes no memory, and nothing from the others.
    let announced: Vec<_> = (0..20)
        .map(|_| {
            let (response, mut stream) = begin(&mut sender, &[]);
            stream.send_data(frame(b"", MESSAGE_BYTES_MAX), false).expect("the connection is open");
            (response, stream)
        })
        .collect();
    assert_eq!(ended(send(&mut sender, &[], frame(&vec![7; 1 << 20], 1 << 20))).await.1.len(), 1 << 20);
    drop(announced);
    let (mut other, _serving) = node.client().await;
    let half = frame(&vec![7; 3 << 20], 15 << 20);
    let halves: Vec<_> = (0..4)
        .map(|_| {
            let (response, mut stream) = begin(&mut other, &[]);
            stream.send_data(half.clone(), false).expect("the connection is open");
            (response, stream)
        })
        .collect();
    let (responses, streams): (Vec<_>, Vec<_>) = halves.into_iter().unzip();
    let mut responses = futures::stream::FuturesUnordered::from_iter(responses.into_iter().map(ended));
    let (status, message) = futures::StreamExt::next(&mut responses).await.expect("there are four");
    assert_eq!(status, "8");
    assert!(text(&message).contains("`limits.listen-bytes`"), "{}", text(&message));
    drop((responses, streams));
    // The server may not have heard yet that the others were given up.
    while ended(send(&mut sender, &[], frame(&vec![7; 2 << 20], 2 << 20))).await.0 != "0" {}
}

#[tokio::test]
async fn responses_that_nobody_takes_end_the_connection_and_count_no_more() {
    let policy = ClientPolicy { transfer_time: Duration::from_millis(200), ..ClientPolicy::default() };
    let node = Node::new(policy);
    node.permits.add_permits(100);
    let (mut sender, serving) = node.client().await;
    // Nobody releases what the window lets through, which is less than the response.
    let response = send(&mut sender, &[], frame(&vec![7; 4 << 20], 4 << 20)).await.expect("it begins");
    serving.await.expect("the server ends the connection");
    drop(response);
    assert_eq!(node.clients.kept.kept_bytes(), 0);
}

#[tokio::test]
async fn what_does_not_come_in_time_ends() {
    let short = Duration::from_millis(50);
    // A connection that does not begin, in part or at all.
    let node = Node::new(ClientPolicy { handshake_time: short, ..ClientPolicy::default() });
    for begin in [&b""[..], b"PRI * HTTP/2.0\r\n", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let (mut stream, serving) = node.connect();
        tokio::io::AsyncWriteExt::write_all(&mut stream, begin).await.expect("the server is there");
        serving.await.expect("the server ends the connection");
        let mut told = Vec::new();
        let _ = stream.read_to_end(&mut told).await;
    }
    // One without calls.
    let node = Node::new(ClientPolicy { idle_time: short, ..ClientPolicy::default() });
    node.permits.add_permits(1);
    let (mut sender, serving) = node.client().await;
    assert_eq!(ended(send(&mut sender, &[], frame(b"one", 3))).await.1, b"one");
    serving.await.expect("the server ends the connection");
    assert!(poll_fn(|cx| sender.poll_ready(cx)).await.is_err());
    // A request that is not sent whole.
    let node = Node::new(ClientPolicy { transfer_time: short, ..ClientPolicy::default() });
    let (mut sender, _serving) = node.client().await;
    let (response, mut stream) = begin(&mut sender, &[]);
    stream.send_data(frame(b"half", 8), false).expect("the connection is open");
    let (status, message) = ended(response).await;
    assert_eq!((status.as_str(), text(&message).contains("`limits.listen-time`")), ("4", true), "{}", text(&message));
}

#[tokio::test]
async fn a_connection_beyond_the_last_takes_the_place_of_an_idle_one() {
    let node = Node::new(ClientPolicy { connections_max: 3, ..ClientPolicy::default() });
    let (mut busy, _serving) = node.client().await;
    let under_way = send(&mut busy, &[], frame(b"busy", 4));
    while node.begun.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let idle = [node.connect(), node.connect()];
    let flood: Vec<_> = join_all((0..100).map(|_| node.client())).await;
    for (_, serving) in idle {
        serving.await.expect("the server ends the connection");
    }
    drop(flood);
    node.permits.add_permits(100);
    assert_eq!(ended(under_way).await.1, b"busy");
    let (mut sender, _serving) = node.client().await;
    assert_eq!(ended(send(&mut sender, &[], frame(b"new", 3))).await.1, b"new");
}
