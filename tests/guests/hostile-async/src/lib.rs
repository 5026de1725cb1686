//! A node that reaches for what is not its own by WASI 0.3: its arguments say what for.

use std::fmt::Debug;
use std::future::Future;

use wasip3::filesystem::preopens::get_directories;
use wasip3::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags, PathFlags};
use wasip3::http::client;
use wasip3::http::types::{Fields, Method, Request, Response, Scheme};
use wasip3::sockets::ip_name_lookup::resolve_addresses;
use wasip3::sockets::types::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket, UdpSocket};
use wasip3::wit_future;

wasip3::cli::command::export!(Hostile);

struct Hostile;

impl wasip3::exports::cli::run::Guest for Hostile {
    async fn run() -> Result<(), ()> {
        let arguments: Vec<_> = std::env::args().skip(1).collect();
        let [verb, target] = &arguments[..] else { panic!("the test gives a verb and a target") };
        match verb.as_str() {
            "read" => end(read(target).await),
            "stat" => end(directory().stat_at(PathFlags::SYMLINK_FOLLOW, target.clone()).await),
            "link" => end(directory().symlink_at("/etc/passwd".to_owned(), target.clone()).await),
            "connect" => end(socket().connect(address(target)).await),
            "listen" => end(socket().bind(address(target))),
            "send" => {
                let socket = UdpSocket::create(IpAddressFamily::Ipv4).expect("a socket");
                end(socket.send(b"any secrets?".to_vec(), Some(address(target))).await)
            }
            "look-up" => end(resolve_addresses(target.clone()).await),
            "request" => end(request(&Scheme::Http, target).await),
            "request-https" => end(request(&Scheme::Https, target).await),
            "keep" if target == "datagrams" => keep_datagrams().await,
            "keep" if target == "listings" => keep_listings().await,
            "keep" => keep(target),
            verb => panic!("`{verb}` is nothing to try"),
        }
        Ok(())
    }
}

fn end<L: Debug, E: Debug>(attack: Result<L, E>) {
    match attack {
        Ok(loot) => println!("loot: {loot:?}"),
        Err(error) => panic!("no loot: {error:?}"),
    }
}

/// Has the host keep one kind of thing until it refuses.
fn keep(kind: &str) {
    let text = "a".repeat(60_000);
    loop {
        let request = empty_request();
        let kept = match kind {
            "methods" => request.set_method(&Method::Other(text.clone())),
            "long-methods" => request.set_method(&Method::Other("a".repeat(8 << 20))),
            "authorities" => request.set_authority(Some(&text)),
            "paths" => request.set_path_with_query(Some(&format!("/{text}"))),
            kind => panic!("`{kind}` is nothing to keep"),
        };
        kept.unwrap_or_else(|error| panic!("no loot: {error:?}"));
        std::mem::forget(request);
    }
}

/// Waits for a datagram any number of times at once.
async fn keep_datagrams() {
    let socket = UdpSocket::create(IpAddressFamily::Ipv4).expect("a socket");
    socket.bind(address("0.0.0.0:0")).expect("it may be bound so");
    let mut waiting = Vec::new();
    loop {
        let mut datagram = Box::pin(socket.receive());
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(datagram.as_mut().poll(cx).is_ready())).await;
        assert!(!polled, "no loot: nobody sends one");
        waiting.push(datagram);
    }
}

/// Begins to read a directory over and over, and never gets to its end.
async fn keep_listings() {
    let (directory, mut begun) = (directory(), Vec::new());
    loop {
        let (mut entries, end) = directory.read_directory();
        entries.next().await.expect("the directory has some");
        begun.push((entries, end));
    }
}

fn empty_request() -> Request {
    let (trailers, trailers_read) = wit_future::new(|| Ok(None));
    std::mem::forget(trailers);
    Request::new(Fields::new(), None, trailers_read, None).0
}

fn directory() -> wasip3::filesystem::types::Descriptor {
    get_directories().into_iter().next().expect("the test grants a directory").0
}

async fn read(path: &str) -> Result<String, ErrorCode> {
    let directory = directory();
    let (follow, read) = (PathFlags::SYMLINK_FOLLOW, DescriptorFlags::READ);
    let file = directory.open_at(follow, path.to_owned(), OpenFlags::empty(), read).await?;
    let (bytes, _) = file.read_via_stream(0);
    Ok(String::from_utf8_lossy(&bytes.collect().await).into_owned())
}

fn socket() -> TcpSocket {
    TcpSocket::create(IpAddressFamily::Ipv4).expect("a socket")
}

fn address(text: &str) -> IpSocketAddress {
    let address: std::net::SocketAddrV4 = text.parse().expect("the test gives an address");
    let [a, b, c, d] = address.ip().octets();
    IpSocketAddress::Ipv4(Ipv4SocketAddress { port: address.port(), address: (a, b, c, d) })
}

async fn request(scheme: &Scheme, authority: &str) -> Result<(u16, String), wasip3::http::types::ErrorCode> {
    let (trailers, trailers_read) = wit_future::new(|| Ok(None));
    drop(trailers);
    let (request, _sent) = Request::new(Fields::new(), None, trailers_read, None);
    request.set_scheme(Some(scheme)).expect("a scheme");
    request.set_authority(Some(authority)).expect("an authority");
    request.set_path_with_query(Some("/")).expect("a path");
    let response = client::send(request).await?;
    let status = response.get_status_code();
    let (_done, done_read) = wit_future::new(|| Ok(()));
    let (body, _trailers) = Response::consume_body(response, done_read);
    Ok((status, String::from_utf8_lossy(&body.collect().await).into_owned()))
}
