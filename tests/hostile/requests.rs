//! Guests that ask servers by HTTP that they may not ask.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};

use super::Attack;

/// A server that answers each request with the words for its path, or with a redirect, for as long as tests run.
pub(crate) fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut lines = BufReader::new(&connection).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            lines.find(String::is_empty);
            let path = request.split(' ').nth(1).unwrap_or_default();
            let answer = match path.strip_prefix("/redirect-to/") {
                Some(other) => format!("302 Found\r\nlocation: http://{other}/"),
                None => "200 OK".to_owned(),
            };
            let body = format!("{request} by {address}");
            let length = body.len();
            let _ =
                write!(&connection, "HTTP/1.1 {answer}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        }
    });
    address
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
