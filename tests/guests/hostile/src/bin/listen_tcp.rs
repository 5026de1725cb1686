//! Listens at an address, and says at which port.

use std::net::TcpListener;

fn main() {
    hostile::end(TcpListener::bind(hostile::argument(0)).and_then(|listener| listener.local_addr()));
}
