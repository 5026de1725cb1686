//! Calls between workers over TLS: who is let in, what becomes of calls as a worker moves, or as a link or a lease ends.

use std::collections::HashMap;
use std::fs::File;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lp_base::calls::ReplicaIndex;
use lp_base::lease::Lease;
use lp_base::replica::Stop;
use lp_base::scheduler::Scheduler;
use lp_trust::{Identity, RunAuthority, WorkerTls};
use rustix::net::sockopt;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsConnector;

use super::{Stranger, TlsListener, TlsPeer};
use crate::grpc::{Address, Audience, Connection, Listener, ServedReplica, Service, serve};
use crate::{
    Bearer, CallContext, CallError, CallOptions, Callers, Credential, Exchange, Mailbox, Message, Passes, Peer, Remote,
    RemoteLimits, RemoteMethod, RemoteProcess, Room,
};

const METHOD: &str = "/test.Echo/Echo";

/// How long a test waits for what should happen soon.
const PATIENCE: Duration = Duration::from_secs(60);

/// One run, with the credential of its only edge.
struct Run {
    authority: RunAuthority,
    credential: Credential,
}

impl Run {
    fn new() -> Self {
        let credential = Credential::random(&Scheduler::default()).expect("the system has randomness");
        Self { authority: RunAuthority::new("calm-fox").expect("the system has randomness"), credential }
    }

    fn tls(&self, identity: Identity) -> WorkerTls {
        self.authority.issue(identity, SystemTime::now()).expect("the system has randomness")
    }

    /// What believes worker 0, and shows the certificate of the launcher.
    fn client(&self) -> ClientConfig {
        let tls = self.tls(Identity::Launcher).client(Identity::Worker(0), &Scheduler::default());
        tls.expect("an authority made it")
    }

    /// The replica of worker 0, to its callers.
    fn remote(&self, peer: TlsPeer, lease: Option<Lease>) -> Arc<Remote> {
        let limits = RemoteLimits { in_flight_max: 10, message_bytes_max: 1 << 20 };
        let connection = Connection::new(Address::Tls(peer), Scheduler::default()).leased(lease);
        let process = RemoteProcess::new(connection, limits, Scheduler::default());
        let passes = Arc::new(Passes::from_iter([(None, self.credential.clone())]));
        let methods = Arc::from([RemoteMethod::from_static(METHOD)]);
        Arc::new(Remote::new("a/0".to_owned(), ReplicaIndex(0), Exchange::new(1), process, passes, methods))
    }

    /// Worker 0 in a life of its own.
    async fn worker(&self, name: &'static str, lease: Option<Lease>) -> Worker {
        let room = Room { calls: 1000, bytes: u64::MAX };
        let (exchange, scheduler) = (Exchange::new(1), Scheduler::default());
        let mailbox = Mailbox::new("a/0".into(), ReplicaIndex(0), Callers::default(), room, exchange, scheduler);
        let mailbox = Arc::new(mailbox);
        mailbox.open();
        let (permits, begun) = (Arc::new(Semaphore::new(0)), watch::Sender::new(0));
        let (calls, free, count) = (mailbox.clone(), permits.clone(), begun.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Some(call) = poll_fn(|cx| calls.poll_next(cx)).await {
                count.send_modify(|count| *count += 1);
                let (calls, free) = (calls.clone(), free.clone());
                tokio::spawn(async move {
                    free.acquire().await.expect("it is not closed").forget();
                    calls.answer(call.split().3, Ok(Message::from(name.as_bytes())));
                });
            }
        });
        let replica = ServedReplica {
            peer: Peer::Local(mailbox),
            methods: Arc::new(HashMap::from([(METHOD.to_owned(), 0)])),
            permits: Arc::new([(self.credential.clone(), Bearer::Outside)].into_iter().collect()),
        };
        let service = Service::internal(vec![replica], 1 << 20).leased(lease.clone());
        let (sender, services) = watch::channel(Arc::new(service));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("there are ports");
        let address = listener.local_addr().expect("it is bound");
        let (told, strangers) = mpsc::unbounded_channel();
        let tell = move |stranger, from: SocketAddr| {
            assert!(from.ip().is_loopback());
            told.send(stranger).expect("the test waits for it");
        };
        let config = self.tls(Identity::Worker(0)).server(&Scheduler::default()).expect("an authority made it");
        let listener = TlsListener::new(listener, config, tell, Scheduler::default());
        let (listener, audience) = (Listener::Tls(Box::new(listener)), Audience::Workers { in_flight_max: 10 });
        tasks.spawn(serve(listener, audience, services, Stop::default(), lease, Scheduler::default()));
        Worker { address, permits, begun, strangers, _sender: sender, _tasks: tasks }
    }
}

/// A worker that answers each call with its name, once there is a permit for it.
struct Worker {
    address: SocketAddr,
    permits: Arc<Semaphore>,
    /// How many calls have begun.
    begun: watch::Sender<usize>,
    strangers: mpsc::UnboundedReceiver<Stranger>,
    _sender: watch::Sender<Arc<Service>>,
    _tasks: JoinSet<()>,
}

impl Worker {
    async fn has_begun(&self, calls: usize) {
        let mut begun = self.begun.subscribe();
        soon(begun.wait_for(|begun| *begun == calls)).await.expect("the worker is there");
    }
}

/// The output of `future`, which comes soon.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it does not take a minute")
}

/// A call in a task of its own.
fn call(remote: &Arc<Remote>) -> JoinHandle<Result<String, CallError>> {
    call_within(remote, None)
}

fn call_within(remote: &Arc<Remote>, timeout: Option<Duration>) -> JoinHandle<Result<String, CallError>> {
    let remote = remote.clone();
    tokio::spawn(async move {
        let options = CallOptions { timeout, ..CallOptions::default() };
        let context = CallContext { origin: None, caller: None, kept: None, options };
        let answer = remote.call(0, Message::default(), context).await?;
        Ok(String::from_utf8(answer.to_vec()).expect("names are text"))
    })
}

async fn answer(call: JoinHandle<Result<String, CallError>>) -> Result<String, CallError> {
    soon(call).await.expect("no call panics")
}

fn lost() -> Result<String, CallError> {
    Err(CallError::Failed("`a/0` was lost while it worked on the call".to_owned()))
}

#[tokio::test]
async fn strangers_are_refused_and_told_of_once_for_each_kind() {
    let run = Run::new();
    let mut worker = run.worker("own", None).await;
    let address = worker.address;
    let connector = |config: ClientConfig| TlsConnector::from(Arc::new(config));
    // Whoever comes by TLS believes this worker; in TLS 1.3 it learns with the first byte whether the worker believes it.
    let come = async |config: ClientConfig| {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let mut stream = connector(config).connect(lp_trust::server_name(), stream).await.expect("they believe it");
        assert!(soon(stream.read_u8()).await.is_err(), "nothing is said to strangers");
    };
    let of = |authority: &RunAuthority, now| {
        let shown = authority.issue(Identity::Worker(1), now).expect("the system has randomness");
        let mut config = shown.client(Identity::Worker(0), &Scheduler::default()).expect("an authority made it");
        config.dangerous().set_certificate_verifier(believing());
        config
    };
    let unknown = RunAuthority::new("calm-fox").expect("the system has randomness");
    for _ in 0..2 {
        let mut plain = TcpStream::connect(address).await.expect("it listens");
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("it listens");
        let _ = soon(plain.read_to_end(&mut Vec::new())).await;
        let without = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13]).dangerous();
        come(without.with_custom_certificate_verifier(believing()).with_no_client_auth()).await;
        come(of(&unknown, SystemTime::now())).await;
        come(of(&run.authority, SystemTime::now() - Duration::from_hours(400 * 24))).await;
        let mut silent_of_protocol = run.client();
        silent_of_protocol.alpn_protocols.clear();
        come(silent_of_protocol).await;
    }
    let mut told = Vec::new();
    while told.len() < 5 {
        told.push(soon(worker.strangers.recv()).await.expect("the worker is there"));
    }
    let kinds =
        [Stranger::NotTls, Stranger::NoCertificate, Stranger::Unknown, Stranger::Expired, Stranger::OtherProtocol];
    assert_eq!(told, kinds);
    worker.permits.add_permits(1);
    let remote = run.remote(TlsPeer::at(run.client(), address.to_string()), None);
    assert_eq!(answer(call(&remote)).await.as_deref(), Ok("own"));
    assert!(worker.strangers.try_recv().is_err(), "each kind is told of once");
}

/// What believes whoever is there, as strangers may.
fn believing() -> Arc<dyn rustls::client::danger::ServerCertVerifier> {
    #[derive(Debug)]
    struct Everybody(rustls::crypto::WebPkiSupportedAlgorithms);

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    impl ServerCertVerifier for Everybody {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.supported_schemes()
        }
    }

    Arc::new(Everybody(rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms))
}

#[tokio::test]
async fn a_thousand_connections_that_say_nothing_keep_nobody_out() {
    let run = Run::new();
    let worker = run.worker("own", None).await;
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(soon(TcpStream::connect(worker.address)).await.expect("it takes them all"));
    }
    worker.permits.add_permits(1);
    let remote = run.remote(TlsPeer::at(run.client(), worker.address.to_string()), None);
    assert_eq!(answer(call(&remote)).await.as_deref(), Ok("own"));
    // The oldest made room for the others.
    for stream in &mut silent[..800] {
        assert!(soon(stream.read_u8()).await.is_err(), "it was closed");
    }
}

#[tokio::test]
async fn a_worker_that_moves_answers_no_call_from_where_it_was() {
    let run = Run::new();
    let (old, new) = (run.worker("old", None).await, run.worker("new", None).await);
    let (place, places) = watch::channel(None);
    let remote = run.remote(TlsPeer::new(run.client(), places), None);
    let first = call(&remote);
    tokio::task::yield_now().await;
    assert!(!first.is_finished(), "it waits for a place");
    place.send_replace(Some(old.address.to_string()));
    old.has_begun(1).await;
    old.permits.add_permits(1);
    assert_eq!(answer(first).await.as_deref(), Ok("old"));
    let under_way = call(&remote);
    old.has_begun(2).await;
    place.send_replace(None);
    // It is answered now, and too late.
    old.permits.add_permits(1);
    assert_eq!(answer(under_way).await, lost());
    let next = call(&remote);
    place.send_replace(Some(new.address.to_string()));
    new.permits.add_permits(1);
    assert_eq!(answer(next).await.as_deref(), Ok("new"));
    assert_eq!((*old.begun.borrow(), *new.begun.borrow()), (2, 1), "no call is made twice");
}

#[tokio::test]
async fn who_is_another_worker_gets_no_call() {
    let run = Run::new();
    let worker = run.worker("own", None).await;
    let tls = run.tls(Identity::Worker(2)).client(Identity::Worker(1), &Scheduler::default());
    let remote = run.remote(TlsPeer::at(tls.expect("an authority made it"), worker.address.to_string()), None);
    let waiting = call(&remote);
    let mut strangers = worker.strangers;
    let own = run.remote(TlsPeer::at(run.client(), worker.address.to_string()), None);
    worker.permits.add_permits(2);
    assert_eq!(answer(call(&own)).await.as_deref(), Ok("own"));
    assert!(!waiting.is_finished() && *worker.begun.borrow() == 1);
    waiting.abort();
    assert!(strangers.try_recv().is_err(), "a worker that does not believe another one is no stranger to it");
}

/// A lease that holds for as long as somebody says.
fn lease() -> (File, Lease) {
    let file = tempfile::tempfile().expect("the system has a directory for temporary files");
    hold(&file, u64::MAX);
    (file.try_clone().expect("there are files left"), Lease::new(file, Scheduler::default()))
}

fn hold(lease: &File, until: u64) {
    lease.write_all_at(&until.to_le_bytes(), 0).expect("there is room");
}

#[tokio::test]
async fn a_worker_whose_lease_has_ended_answers_nothing_and_begins_nothing() {
    let run = Run::new();
    let (file, lease) = lease();
    let worker = run.worker("own", Some(lease)).await;
    let remote = run.remote(TlsPeer::at(run.client(), worker.address.to_string()), None);
    worker.permits.add_permits(1);
    assert_eq!(answer(call(&remote)).await.as_deref(), Ok("own"));
    let under_way = call(&remote);
    worker.has_begun(2).await;
    hold(&file, 0);
    worker.permits.add_permits(1);
    assert_eq!(answer(under_way).await, lost());
    // A new connection brings nothing in either.
    let late = answer(call_within(&remote, Some(Duration::from_millis(100)))).await;
    assert!(late == lost() || late == Err(CallError::DeadlineExceeded), "{late:?}");
    assert_eq!(*worker.begun.borrow(), 2);
}

#[tokio::test]
async fn a_worker_whose_lease_has_ended_calls_nobody() {
    let run = Run::new();
    let (file, lease) = lease();
    let worker = run.worker("own", None).await;
    let remote = run.remote(TlsPeer::at(run.client(), worker.address.to_string()), Some(lease));
    worker.permits.add_permits(2);
    assert_eq!(answer(call(&remote)).await.as_deref(), Ok("own"));
    hold(&file, 0);
    let late = answer(call_within(&remote, Some(Duration::from_millis(100)))).await;
    assert!(late == lost() || late == Err(CallError::DeadlineExceeded), "{late:?}");
    // The other worker is there, and takes calls of those who may make some.
    let other = run.remote(TlsPeer::at(run.client(), worker.address.to_string()), None);
    assert_eq!(answer(call(&other)).await.as_deref(), Ok("own"));
    assert_eq!(*worker.begun.borrow(), 2);
}

/// Set for the test below where it runs in a network of its own.
const OWN_NETWORK: &str = "LP_TEST_OWN_NETWORK";

#[tokio::test]
async fn a_cut_link_is_a_lost_connection_and_is_told_of_until_it_is_whole_again() {
    if std::env::var_os(OWN_NETWORK).is_none() {
        let name = "grpc::tls::tests::a_cut_link_is_a_lost_connection_and_is_told_of_until_it_is_whole_again";
        let mut own = Command::new("unshare");
        own.arg("-rn").arg(std::env::current_exe().expect("it has a path")).args(["--exact", name]);
        let output = own.env(OWN_NETWORK, "1").output().expect("util-linux is there");
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let link = |state: &str| {
        let set = Command::new("ip").args(["link", "set", "lo", state]).status();
        assert!(set.expect("iproute2 is there").success());
    };
    link("up");
    let run = Run::new();
    let worker = run.worker("own", None).await;
    let peer = TlsPeer::at(run.client(), worker.address.to_string());
    let remote = run.remote(peer.clone(), None);
    worker.permits.add_permits(1);
    assert_eq!(answer(call(&remote)).await.as_deref(), Ok("own"));
    let under_way = call(&remote);
    worker.has_begun(2).await;
    link("down");
    assert_eq!(answer(under_way).await, lost());
    let next = call(&remote);
    let trouble = soon(async {
        loop {
            match peer.trouble() {
                Some(trouble) => return trouble,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    });
    assert_eq!(trouble.await.place, worker.address.to_string());
    link("up");
    worker.permits.add_permits(2);
    assert_eq!(answer(next).await.as_deref(), Ok("own"));
    assert_eq!(peer.trouble(), None);
    assert_eq!(*worker.begun.borrow(), 3, "no call is made twice");
}

#[tokio::test]
async fn both_ends_of_a_connection_notice_a_cut() {
    let run = Run::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("there are ports");
    let place = listener.local_addr().expect("it is bound").to_string();
    let config = run.tls(Identity::Worker(0)).server(&Scheduler::default()).expect("an authority made it");
    let mut listener = TlsListener::new(listener, config, |_, _| {}, Scheduler::default());
    let peer = TlsPeer::at(run.client(), place);
    let (scheduler, mut moved) = (Scheduler::default(), peer.moved());
    let (calling, called) = tokio::join!(peer.connect(&mut moved, &scheduler), listener.accept());
    let (calling, called) = (calling.expect("it listens"), called.expect("it is of the run"));
    for stream in [calling.get_ref().0, called.get_ref().0] {
        assert_eq!(sockopt::tcp_user_timeout(stream), Ok(3000));
        assert_eq!(sockopt::tcp_keepidle(stream), Ok(Duration::from_secs(1)));
        assert_eq!(sockopt::tcp_keepintvl(stream), Ok(Duration::from_secs(1)));
        assert_eq!(sockopt::socket_keepalive(stream), Ok(true));
        assert_eq!(sockopt::tcp_nodelay(stream), Ok(true));
    }
}
