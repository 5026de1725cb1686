#!/usr/bin/env bash
# A stream below HTTP/2 fails with an error that carries another one, as rustls does when the other end sends an alert: it refused
# a certificate, say. What h2 gives to its user has the kind and the text, and no longer what was carried: neither `get_io` nor the
# chain of sources leads to it. So a client over TLS can tell a refused certificate from a broken wire by the text alone. One would
# expect the error as the stream gave it, since `get_io` returns an `io::Error`.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "seen"
version = "0.0.0"
edition = "2024"

[dependencies]
h2 = "=0.4.20"
tokio = { version = "=1.54.1", features = ["macros", "rt"] }
TOML
cat > src/main.rs <<'RS'
use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Debug)]
struct Alert(u8);

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "alert {}", self.0)
    }
}

impl Error for Alert {}

/// Takes what is written, and fails when it is read.
struct Refused;

impl AsyncRead for Refused {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, Alert(49))))
    }
}

impl AsyncWrite for Refused {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (_sender, connection) = h2::client::handshake(Refused).await.unwrap();
    let error = connection.await.unwrap_err();
    let io = error.get_io().expect("it is an error of the stream");
    let mut found = io.get_ref().is_some_and(|inner| inner.is::<Alert>());
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        found |= error.is::<Alert>();
        cause = error.source();
    }
    println!("kind {:?}, text {io}, what it carried: {}", io.kind(), if found { "there" } else { "gone" });
}
RS
cargo run --quiet | tee seen.txt
cargo tree --quiet --depth 1 | grep -E ' (h2|tokio) '
if ! grep -qxF "kind InvalidData, text alert 49, what it carried: gone" seen.txt; then
    echo "changed: the error of the stream comes through as it is" >&2
    exit 1
fi
echo "seen: the text is left of it"
