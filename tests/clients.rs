//! Clients at the address of a node that do what no client should, or leave undone what every client does; and who is let in.

mod answers;

use std::io::Read as _;
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request, Response};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::grpc::address;
use crate::host;
use crate::hostile::{family, high_water_kib};
use crate::run::{Going, Program};
use crate::runs::Machine;

/// A node that listens and a neighbour that says when both are up.
fn server(settings: &str) -> String {
    format!(
        "[nodes.a]\nASYNC\nhandles = {{ probe = 'a' }}\nrun = false\nlisten = '127.0.0.1:0'\n{settings}\n\
         [nodes.b]\nASYNC\nhandles = {{ probe = 'a' }}\nargs = ['print:up', 'wait-for-stop']\n"
    )
}

/// Runs `test` with the address of the server under each launch type, then stops the program, which must end well.
#[track_caller]
fn with_server(settings: &str, test: impl Fn(&Machine, &Going, &str)) {
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let (machine, program) = (Machine::new(), Program::new(&server(settings)));
        let mut going = machine.launch(&program, launch_type);
        going.expect_line("b/0 │ up");
        let address = address(&mut going);
        test(&machine, &going, &address);
        going.signal(Signal::TERM);
        assert_eq!(going.child.wait().expect("it can be waited for").code(), Some(143), "{launch_type}");
    }
}

fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(test)
}

type Sender = SendRequest<Bytes>;

async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Option<Sender> {
    let (sender, connection) = h2::client::handshake(stream).await.ok()?;
    tokio::spawn(connection);
    sender.ready().await.ok()
}

async fn connect(address: &str) -> Sender {
    let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    over(stream).await.expect("it speaks HTTP/2")
}

fn request(path: &str, headers: &[(&str, &str)]) -> Request<()> {
    let request = Request::post(format!("http://a{path}")).header("content-type", "application/grpc");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(()).expect("it is one")
}

/// A message on its way: of `sent` bytes, while it says that it has `length`. It is one of `Echo` with `length` bytes of data.
fn echo(sent: usize, length: usize) -> Bytes {
    let mut data = vec![0x0a];
    let mut left = length;
    while left >= 0x80 {
        data.push(left as u8 | 0x80);
        left >>= 7;
    }
    data.push(left as u8);
    let mut message = vec![0];
    message.extend(u32::try_from(data.len() + length).expect("it is short").to_be_bytes());
    message.extend(data);
    message.extend(vec![7; sent]);
    message.into()
}

const ECHO: &str = "/test.probe.Probe/Echo";

fn call(sender: &mut Sender, headers: &[(&str, &str)], message: Bytes, ends: bool) -> ResponseFuture {
    let (response, mut stream) = sender.send_request(request(ECHO, headers), false).expect("the connection is open");
    stream.send_data(message, ends).expect("the connection is open");
    response
}

/// The status of HTTP, that of gRPC, and how many bytes the response has.
async fn ended(response: ResponseFuture) -> (u16, String, usize) {
    match response.await {
        Ok(response) => taken(response).await,
        Err(_) => (0, "lost".to_owned(), 0),
    }
}

/// The same of a response that has begun.
async fn taken(response: Response<h2::RecvStream>) -> (u16, String, usize) {
    let status = |headers: &HeaderMap| headers.get("grpc-status").map(|code| code.to_str().expect("digits").to_owned());
    let told = status(response.headers());
    let (head, mut body) = response.into_parts();
    let mut length = 0;
    while let Some(Ok(piece)) = body.data().await {
        let _ = body.flow_control().release_capacity(piece.len());
        length += piece.len();
    }
    let trailers = body.trailers().await.ok().flatten().unwrap_or_default();
    (head.status.as_u16(), told.or_else(|| status(&trailers)).unwrap_or_default(), length)
}

/// The most memory that the processes of a run have taken so far, wherever its workers are.
fn peak_kib(machine: &Machine, going: &Going) -> u64 {
    let runs = machine.ps();
    let workers = runs.iter().flat_map(|run| run["replicas"].as_array().into_iter().flatten());
    let workers = workers.filter_map(|replica| u32::try_from(replica["pid"].as_u64()?).ok());
    let processes = family(going.child.id()).into_iter().chain(workers);
    processes.filter_map(high_water_kib).max().unwrap_or(0)
}

#[test]
fn unfinished_messages_have_a_budget_and_leave_room_for_others() {
    const MIB: usize = 1 << 20;
    with_server("limits = { listen-bytes = '128MiB' }", |machine, going, address| {
        let before = peak_kib(machine, going);
        block_on(async {
            let mut connections = Vec::new();
            let mut refused = Vec::new();
            for _ in 0..2 {
                let mut sender = connect(address).await;
                for _ in 0..20 {
                    refused.push(call(&mut sender, &[], echo(10 * MIB, 60 * MIB), false));
                }
                connections.push(sender);
            }
            // 400 MiB in all: most of these calls are refused, and none hangs.
            let mut ended: Vec<_> = Vec::new();
            let (first, _, _) =
                futures::future::select_all(refused.into_iter().map(|call| Box::pin(ended_status(call)))).await;
            ended.push(first);
            assert_eq!(ended, ["8"]);
            let mut other = connect(address).await;
            drop(connections);
            let mut answer = self::ended(call(&mut other, &[], echo(MIB, MIB), true)).await;
            // The server may not have heard yet that the others are gone.
            while answer.1 == "8" {
                answer = self::ended(call(&mut other, &[], echo(MIB, MIB), true)).await;
            }
            assert_eq!((answer.0, answer.1.as_str()), (200, "0"));
            assert!(answer.2 > MIB);
        });
        // What was received twice over, for the copies of what grows.
        let grown = peak_kib(machine, going).saturating_sub(before);
        assert!(grown < 2 * 128 * 1024 + 64 * 1024, "it took {grown} KiB more");
    });
}

async fn ended_status(call: ResponseFuture) -> String {
    ended(call).await.1
}

#[test]
fn requests_that_are_not_of_grpc_execute_nothing() {
    with_server("", |machine, _, address| {
        block_on(async {
            let mut sender = connect(address).await;
            let get = Request::get(format!("http://a{ECHO}")).header("content-type", "application/grpc").body(());
            let (response, _) = sender.send_request(get.expect("it is one"), true).expect("the connection is open");
            assert_eq!(ended(response).await.0, 405);
            let web = Request::post(format!("http://a{ECHO}")).header("content-type", "application/grpc-web").body(());
            let (response, _) = sender.send_request(web.expect("it is one"), true).expect("the connection is open");
            assert_eq!(ended(response).await.0, 415);
            let none = sender.send_request(request(ECHO, &[]), true).expect("the connection is open").0;
            assert_eq!(ended(none).await.1, "12");
            let two = [echo(1, 1), echo(1, 1)].concat();
            assert_eq!(ended(call(&mut sender, &[], two.into(), true)).await.1, "12");
            assert_eq!(ended(call(&mut sender, &[("grpc-timeout", "0n")], echo(1, 1), true)).await.1, "4");
            assert_eq!(ended(call(&mut sender, &[("grpc-timeout", "1 S")], echo(1, 1), true)).await.1, "3");
        });
        assert_eq!(machine.data(&["call", address, "count"]), "0\n");
    });
}

#[test]
fn a_client_may_cancel_all_its_calls_at_once() {
    with_server("", |_, _, address| {
        block_on(async {
            let mut sender = connect(address).await;
            let slow = request("/test.probe.Probe/Sleep", &[]);
            for _ in 0..5 {
                let calls = (0..100).map(|_| sender.send_request(slow.clone(), false).expect("the connection is open"));
                for (_response, mut stream) in calls.collect::<Vec<_>>() {
                    stream.send_reset(h2::Reason::CANCEL);
                }
            }
            assert_eq!(ended(call(&mut sender, &[], echo(1, 1), true)).await.1, "0");
        });
    });
}

#[test]
fn many_idle_connections_keep_nobody_out() {
    // Not `remote`: the agent of a host has its files by whoever started it.
    for launch_type in host::LAUNCH_TYPES {
        let (machine, program) = (Machine::new(), Program::new(&server("")));
        let mut command = Command::new("sh");
        let run = machine.command(&["run"]);
        command.args(["-c", "ulimit -n 256 && exec \"$0\" \"$@\""]).arg(run.get_program()).args(run.get_args());
        command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut going = Going::spawn({
            command.arg(program.path()).args(["--launch-type", &launch_type.to_string()]);
            command
        });
        going.expect_line("b/0 │ up");
        let address = address(&mut going);
        let mut idle: Vec<_> = (0..400).filter_map(|_| TcpStream::connect(&address).ok()).collect();
        assert_eq!(idle.len(), 400, "{launch_type}");
        assert_eq!(machine.ps().len(), 1, "{launch_type}");
        assert_eq!(block_on(async { ended(call(&mut connect(&address).await, &[], echo(1, 1), true)).await.1 }), "0");
        // The first ones have lost their places.
        let first = &mut idle[0];
        first.set_read_timeout(Some(Duration::from_secs(30))).expect("it can be set");
        let end = first.read_to_end(&mut Vec::new());
        assert!(!end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "{launch_type}: it is open");
        going.signal(Signal::TERM);
        assert_eq!(going.child.wait().expect("it can be waited for").code(), Some(143), "{launch_type}");
    }
}

#[test]
fn calls_that_come_while_a_node_stops_are_unavailable() {
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let (machine, program) =
            (Machine::new(), Program::new(&server("").replace("'wait-for-stop'", "'wait-for-stop', 'sleep:300'")));
        let mut going = machine.launch(&program, launch_type);
        going.expect_line("b/0 │ up");
        let address = address(&mut going);
        let statuses = block_on(async {
            let mut sender = connect(&address).await;
            assert_eq!(ended(call(&mut sender, &[], echo(1, 1), true)).await.1, "0");
            going.signal(Signal::TERM);
            let mut statuses = std::collections::BTreeSet::new();
            while let Ok((response, mut stream)) = sender.send_request(request(ECHO, &[]), false) {
                if stream.send_data(echo(1, 1), true).is_err() {
                    break;
                }
                statuses.insert(ended(response).await.1);
                if std::future::poll_fn(|cx| sender.poll_ready(cx)).await.is_err() {
                    break;
                }
            }
            statuses
        });
        // Whoever loses its connection retries as after 14.
        assert!(
            statuses.iter().all(|status| ["0", "14", "lost"].contains(&status.as_str())),
            "{launch_type}: {statuses:?}"
        );
        assert_eq!(going.child.wait().expect("it can be waited for").code(), Some(143), "{launch_type}");
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new([]).expect("it has no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

/// A certificate by `authority`, and its key.
fn certificate(authority: &Authority) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("it is a name");
    (params.signed_by(&key, authority).expect("a certificate"), key)
}

/// How a client of a server by `servers` connects, showing a certificate by `own` if there is one.
fn tls(servers: &Authority, own: Option<&Authority>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(servers.der().clone()).expect("it is a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config =
        config.with_safe_default_protocol_versions().expect("the provider has them").with_root_certificates(roots);
    let mut config = match own {
        None => config.with_no_client_auth(),
        Some(own) => {
            let (certificate, key) = certificate(own);
            let key = PrivateKeyDer::try_from(key.serialize_der()).expect("it is a key");
            config.with_client_auth_cert(vec![certificate.der().clone()], key).expect("they belong together")
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// The status of a call over TLS, and `lost` if there is no connection.
async fn call_by(tls: TlsConnector, address: &str, headers: &[(&str, &str)]) -> String {
    let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let Ok(stream) = tls.connect(ServerName::try_from("127.0.0.1").expect("it is one"), stream).await else {
        return "lost".to_owned();
    };
    match over(stream).await {
        None => "lost".to_owned(),
        Some(mut sender) => ended(call(&mut sender, headers, echo(1, 1), true)).await.1,
    }
}

const TOKEN: &str = "correct horse battery staple";

#[test]
fn only_clients_with_certificate_and_token_are_let_in() {
    let (servers, clients, strangers) = (authority(), authority(), authority());
    let (certificate, key) = certificate(&servers);
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let machine = Machine::new();
        let listen = "listen = { address = '127.0.0.1:0', certificate = 'server.pem', key = 'server.key', \
            client-ca = 'clients.pem', token = { file = 'token.txt' } }";
        let program = Program::new(&server("").replace("listen = '127.0.0.1:0'", listen));
        let dir = program.dir.path();
        let files = [
            ("server.pem", certificate.pem()),
            ("server.key", key.serialize_pem()),
            ("clients.pem", clients.pem()),
            ("token.txt", format!("{TOKEN}\n")),
        ];
        files.iter().for_each(|(name, text)| std::fs::write(dir.join(name), text).expect("it can be written"));
        let mut going = machine.launch(&program, launch_type);
        going.expect_line("b/0 │ up");
        let address = address(&mut going);
        block_on(async {
            let shown = format!("Bearer {TOKEN}");
            let token = [("authorization", shown.as_str())];
            let known = || tls(&servers, Some(&clients));
            assert_eq!(call_by(known(), &address, &token).await, "0", "{launch_type}");
            assert_eq!(call_by(known(), &address, &[]).await, "16");
            assert_eq!(call_by(known(), &address, &[("authorization", "Bearer wrong")]).await, "16");
            assert_eq!(call_by(tls(&servers, None), &address, &token).await, "lost");
            assert_eq!(call_by(tls(&servers, Some(&strangers)), &address, &token).await, "lost");
            assert_eq!(call_by(tls(&strangers, Some(&clients)), &address, &token).await, "lost");
            // Nor by a connection that is not encrypted.
            let plain = tokio::net::TcpStream::connect(&address).await.expect("it listens");
            if let Some(mut sender) = over(plain).await {
                assert_eq!(ended(call(&mut sender, &token, echo(1, 1), true)).await.1, "lost");
            }
        });
        // Neither secret is where others could read it.
        let run_dir = machine.run_dirs().pop().expect("there is a run");
        let plan = std::fs::read_to_string(run_dir.join("plan.json")).unwrap_or_default();
        assert!(!plan.contains(TOKEN) && !plan.contains("PRIVATE KEY"), "{launch_type}");
        going.signal(Signal::TERM);
        assert_eq!(going.child.wait().expect("it can be waited for").code(), Some(143), "{launch_type}");
    }
}

#[test]
fn a_key_of_another_certificate_is_not_launched() {
    let servers = authority();
    let ((certificate, _), (_, other)) = (certificate(&servers), certificate(&servers));
    for &launch_type in host::ALL_LAUNCH_TYPES {
        let listen = "listen = { address = '127.0.0.1:0', certificate = 'server.pem', key = 'server.key' }";
        let program = Program::new(&server("").replace("listen = '127.0.0.1:0'", listen));
        std::fs::write(program.dir.path().join("server.pem"), certificate.pem()).expect("it can be written");
        std::fs::write(program.dir.path().join("server.key"), other.serialize_pem()).expect("it can be written");
        let output = host::launched(program.command(), launch_type).output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{stderr}");
        assert!(
            stderr.contains("`a` can't listen: the certificate of its `listen` can't be used with the key"),
            "{stderr}"
        );
    }
}

#[test]
fn what_a_toolchain_exports_for_itself_is_not_served() {
    let Ok(component) = crate::languages::build("tests/meeting/python") else { return println!("skipped: no Python") };
    let output = Command::new(host::BINARY).args(["inspect", "--format", "json"]).arg(&component).output();
    let shown: serde_json::Value =
        serde_json::from_slice(&output.expect("the binary runs").stdout).expect("it prints JSON");
    let names: Vec<_> =
        shown["couriers"].as_array().expect("there are some").iter().map(|courier| &courier["interface"]).collect();
    assert!(!names.is_empty() && names.iter().all(|name| *name != "exports"), "{shown}");
    assert!(shown["exports"].as_array().expect("a list").iter().any(|name| name == "exports"), "{shown}");
}
