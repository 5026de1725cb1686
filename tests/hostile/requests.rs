//! Guests that ask servers by HTTP that they may not ask.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::Attack;

/// A server that answers each request with the words for its path, for as long as tests run.
pub(crate) fn server() -> SocketAddr {
    serve(answer)
}

/// A server that handles each connection by `handle`, which is told the server's address.
pub(crate) fn serve(handle: impl Fn(TcpStream, SocketAddr) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || listener.incoming().flatten().for_each(|connection| handle(connection, address)));
    address
}

/// Reads a request and answers as its path says: with a redirect, a header or a body of some size, or with its own words.
pub(crate) fn answer(mut connection: impl Read + Write, address: SocketAddr) {
    let mut lines = BufReader::new(&mut connection).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    lines.find(String::is_empty);
    drop(lines);
    let path = request.split(' ').nth(1).unwrap_or_default();
    let mut body = format!("{request} by {address}");
    let head = match path.trim_start_matches('/').split_once('/') {
        Some(("redirect-to", other)) => format!("302 Found\r\nlocation: http://{other}/"),
        Some(("header-of", bytes)) => format!("200 OK\r\na: {}", "a".repeat(bytes.parse().expect("a number"))),
        Some(("body-of", bytes)) => {
            body = "a".repeat(bytes.parse().expect("a number"));
            "200 OK".to_owned()
        }
        _ => "200 OK".to_owned(),
    };
    let length = body.len();
    // A client may be gone by now.
    let _ = write!(connection, "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
}

/// Has `guest` ask; the user is told of it by `denial`.
#[track_caller]
fn check(guest: &str, args: &[&str], grant: &str, denial: &str) {
    let settings = format!("args = {args:?}\nsandbox = {{ http = [{grant}] }}");
    let line = format!("lp-host     │ denied: `hostile/0` tried to request {denial}");
    Attack::new(guest).settings(&settings).stderr(&line).stderr("(allow it with `sandbox.http`)").check();
}

#[test]
fn nobody_asks_a_server_without_a_grant() {
    let address = server().to_string();
    check("request_elsewhere", &["http", &address], "", &format!("`http://{address}`"));
    check("hostile_async", &["request", &address], "", &format!("`http://{address}`"));
    // A grant of sockets is none of requests.
    let settings = format!("args = ['http', '{address}']\nsandbox = {{ network = ['tcp-connect:*:*', 'dns:*'] }}");
    Attack::new("request_elsewhere").settings(&settings).stderr("tried to request `http://").check();
}

#[test]
fn scheme_host_and_port_are_all_of_the_grant() {
    let address = server();
    let (port, other) = (address.port(), address.port() ^ 1);
    let grant = format!("'http://127.0.0.1:{port}', 'https://*.example.org'");
    let tries = [
        ("https", format!("127.0.0.1:{port}"), format!("`https://127.0.0.1:{port}`")),
        ("http", format!("127.0.0.1:{other}"), format!("`http://127.0.0.1:{other}`")),
        ("http", format!("localhost:{port}"), format!("`http://localhost:{port}`")),
        ("https", "example.org".to_owned(), "`https://example.org`".to_owned()),
        ("https", "a.example.org.evil.net".to_owned(), "`https://a.example.org.evil.net`".to_owned()),
        ("http", "a.example.org".to_owned(), "`http://a.example.org`".to_owned()),
    ];
    for (scheme, authority, denial) in tries {
        check("request_elsewhere", &[scheme, &authority], &grant, &denial);
    }
}

#[test]
fn odd_spellings_of_an_address_are_judged_as_the_address() {
    let address = server();
    let port = address.port();
    for odd in ["0x7f.0.0.1", "2130706433", "127.1", "[::ffff:127.0.0.1]"] {
        let denial = format!("`http://127.0.0.1:{port}`");
        check("request_elsewhere", &["http", &format!("{odd}:{port}")], "'http://example.org'", &denial);
    }
}

#[test]
fn a_redirect_is_judged_like_any_request() {
    let (granted, other) = (server().to_string(), server().to_string());
    let grant = format!("'http://{granted}'");
    check("request_by_redirect", &[&granted, &other], &grant, &format!("`http://{other}`"));
}

#[test]
fn user_information_is_no_host() {
    let (granted, other) = (server().to_string(), server().to_string());
    let authority = format!("{granted}@{other}");
    let denial = format!("`http://{authority}`, which no grant is for");
    check("request_elsewhere", &["http", &authority], &format!("'http://{granted}'"), &denial);
}

#[test]
fn a_path_is_no_url_and_a_header_no_host() {
    let (granted, other) = (server().to_string(), server().to_string());
    let settings = format!("args = ['{granted}', '{other}']\nsandbox = {{ http = ['http://{granted}'] }}");
    Attack::new("request_by_absolute_path")
        .settings(&settings)
        .stderr("no loot: ErrorCode::HttpRequestUriInvalid")
        .check();
    let settings = "args = ['elsewhere.example.org']";
    Attack::new("request_with_other_host").settings(settings).stderr("no loot: the header is the host's").check();
}

/// Has `guest` go beyond one of the limits on requests to the server at `address`; the user is told of it by `told`.
#[track_caller]
fn check_limit(guest: &str, limits: &str, address: SocketAddr, args: &[&str], told: &str) {
    let grant = format!("sandbox = {{ http = ['http://{address}'] }}");
    let settings = format!("args = {args:?}\nlimits = {{ {limits} }}\n{grant}");
    Attack::new(guest).settings(&settings).stderr(told).check();
}

#[test]
fn requests_end_at_their_limits() {
    let (address, silent) = (server(), TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    let (one, silent) =
        (address.to_string(), silent.local_addr().map(|address| (silent, address)).expect("it is bound"));
    let told = "tried to make more HTTP requests at once (its limit is `limits.http-requests` = 1)";
    check_limit("request_at_once", "http-requests = 1", silent.1, &[&silent.1.to_string()], told);
    let told = "tried to take HTTP headers that are too large (its limit is `limits.http-headers` = 8KiB)";
    let ask = |path| ["http", &one, path];
    check_limit("request_elsewhere", "http-headers = '8KiB'", address, &ask("/header-of/9000"), told);
    let told = "tried to take an HTTP body that is too long (its limit is `limits.http-body` = 1KiB)";
    check_limit("request_elsewhere", "http-body = '1KiB'", address, &ask("/body-of/1025"), told);
    let told = "tried to send an HTTP body that is too long (its limit is `limits.http-body` = 1MiB)";
    let taker = serve(|mut connection, _| {
        let _ = std::io::copy(&mut connection, &mut std::io::sink());
    });
    check_limit("request_with_large_body", "http-body = '1MiB'", taker, &[&taker.to_string()], told);
    let told = "it reached its limit `limits.http-headers` = 8KiB";
    check_limit("request_with_large_headers", "http-headers = '8KiB'", address, &["a"], told);
    check_limit("keep_headers", "http-headers = '8KiB'", address, &[], told);
}
