//! Any bytes as what a client sends over a connection: the server answers or hangs up, and no replica sees a call that
//! it may not get.
//!
//! `cargo +nightly fuzz run grpc` in `host/`. The first byte of an input chooses the endpoint: of a node that listens, or
//! of a worker, whose only credential starts with 43 times `A`. The rest follows the preface of HTTP/2.

#![no_main]

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, LazyLock};

use lp_host::calls::ReplicaIndex;
use lp_host::courier::grpc::{
    ClientPolicy, Clients, Guard, Public, PublicSchema, ServedReplica, Service, Services, serve_client, serve_worker,
};
use lp_host::courier::{Bearer, Callers, Credential, Exchange, Mailbox, Peer, Permits, Room};
use lp_host::scheduler::Scheduler;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// What a client sends before its first frame, and the settings that must follow.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const CALLS_MAX: u32 = 16;
const MESSAGE_BYTES_MAX: usize = 1 << 16;

struct Endpoints {
    runtime: Runtime,
    public: Services,
    internal: Services,
    clients: Arc<Clients>,
}

static ENDPOINTS: LazyLock<Endpoints> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let callers = Callers::new([1..3]);
    let room = Room { calls: CALLS_MAX, bytes: MESSAGE_BYTES_MAX as u64 };
    let mailbox = Mailbox::new("a/0".to_owned(), ReplicaIndex(0), callers, room, Exchange::new(3), Scheduler::default());
    let mailbox = Arc::new(mailbox);
    mailbox.open();
    let (public, internal) = runtime.block_on(async {
        tokio::spawn(echo(mailbox.clone()));
        let check = Box::new(|_, request: &[u8]| match request.len() {
            0..1024 => Ok(()),
            _ => Err("too long for this node".to_owned()),
        });
        let schema = PublicSchema { descriptors: [Vec::new(), Vec::new()], types: Some(vec![0x0a, 0]) };
        let public = Public::new(&schema, vec!["fuzz.Echo".to_owned()], vec![mailbox.readiness()], check, &Scheduler::default());
        let credential: Credential = serde_json::from_value("A".repeat(43).into()).expect("any text could be one");
        let replica = || ServedReplica {
            peer: Peer::Local(mailbox.clone()),
            methods: Arc::new(HashMap::from([("/fuzz.Echo/Echo".to_owned(), 0)])),
            permits: Arc::new(Permits::from_iter([(credential.clone(), Bearer::Node(1..3))])),
        };
        let public = public.expect("an empty schema can be served");
        (
            Service::public(vec![replica()], MESSAGE_BYTES_MAX, public),
            Service::internal(vec![replica()], MESSAGE_BYTES_MAX),
        )
    });
    let services = |service| watch::channel(Arc::new(service)).1;
    let policy = ClientPolicy { calls_per_connection: CALLS_MAX, ..ClientPolicy::default() };
    let clients = Clients::new(policy, Guard::default(), Scheduler::default());
    Endpoints { runtime, public: services(public), internal: services(internal), clients }
});

/// Answers every call with its request.
async fn echo(mailbox: Arc<Mailbox>) {
    while let Some(call) = poll_fn(|cx| mailbox.poll_next(cx)).await {
        let (method, request, _, answering) = call.split();
        assert_eq!(method, 0);
        mailbox.answer(answering, Ok(request));
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, sent)) = data.split_first() else { return };
    let endpoints = &*ENDPOINTS;
    endpoints.runtime.block_on(async {
        let (client, server) = tokio::io::duplex(1 << 16);
        let (mut answers, mut requests) = tokio::io::split(client);
        let serving = async {
            match choice & 1 {
                0 => serve_client(server, endpoints.public.clone(), endpoints.clients.clone()).await,
                _ => serve_worker(server, false, endpoints.internal.clone(), CALLS_MAX, Scheduler::default()).await,
            }
        };
        let asking = async {
            // A server that hung up reads no further.
            let _ = requests.write_all(PREFACE).await;
            let _ = requests.write_all(sent).await;
            let _ = requests.shutdown().await;
            let mut answer = Vec::new();
            let _ = answers.read_to_end(&mut answer).await;
        };
        tokio::join!(serving, asking);
    });
});
