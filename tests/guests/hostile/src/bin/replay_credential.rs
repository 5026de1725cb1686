//! Shows whatever it can find that might be a credential at the address where another node serves clients, to be taken for
//! a node of the program. The host's directory of the run is there for it to look through.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// What credentials are made of, and how long they are.
const CREDENTIAL_CHARS: usize = 43;

fn main() {
    let address = loop {
        match std::fs::read_to_string("/up/address") {
            Ok(address) => break address,
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    assert!(answers(&address, &[("lp-replica", "a/0")]), "the node answers clients");
    let mut found = vec!["A".repeat(CREDENTIAL_CHARS)];
    look_through(Path::new("/run-dir"), &mut found);
    for credential in &found {
        for caller in ["0", "1", "2"] {
            let said = [("lp-replica", "other/0"), ("lp-caller", caller), ("lp-credential", credential)];
            assert!(!answers(&address, &said), "loot: a call as replica {caller}");
        }
    }
    println!("nobody was deceived");
}

/// Adds what might be a credential in the files below `dir`.
fn look_through(dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).expect("it can be listed").flatten() {
        let path = entry.path();
        if path.is_dir() {
            look_through(&path, found);
        } else if let Ok(text) = std::fs::read(&path) {
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
            let words = text.split(|byte| !is_part(byte)).filter(|word| word.len() >= CREDENTIAL_CHARS);
            found.extend(words.map(|word| String::from_utf8_lossy(&word[..CREDENTIAL_CHARS]).into_owned()));
        }
    }
}

/// Whether a call of `echo` with these headers is answered by a node.
fn answers(address: &str, headers: &[(&str, &str)]) -> bool {
    let mut connection = TcpStream::connect(address).expect("it is granted");
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut sent, SETTINGS, 0, 0, &[]);
    // `:method: POST`, `:scheme: http`, and then names and values as they are, in HPACK.
    let mut block = vec![0x83, 0x86];
    let common = [("content-type", "application/grpc"), ("te", "trailers")];
    let path = [(":path", "/test.probe.Probe/Echo"), (":authority", "lp-host")];
    for (name, value) in path.iter().chain(&common).chain(headers) {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("it is short"));
            block.extend(text.as_bytes());
        }
    }
    frame(&mut sent, HEADERS, END_HEADERS, 1, &block);
    frame(&mut sent, DATA, END_STREAM, 1, &[0, 0, 0, 0, 3, 0x0a, 1, 7]);
    connection.write_all(&sent).expect("the node takes it");
    // An answer is a message; a refusal only has headers, and a connection may end without a word.
    let mut head = [0; 9];
    while connection.read_exact(&mut head).is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        connection.read_exact(&mut payload).expect("a frame is whole");
        match head[3] {
            DATA => return true,
            HEADERS if head[4] & END_STREAM != 0 => return false,
            RESET | GO_AWAY => return false,
            _ => {}
        }
    }
    false
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(sent: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("it is short");
    sent.extend(&length.to_be_bytes()[1..]);
    sent.extend([kind, flags]);
    sent.extend(stream.to_be_bytes());
    sent.extend(payload);
}
