//! Sends a datagram and waits for the answer.

use std::net::UdpSocket;

fn main() {
    let exchange = || {
        let socket = UdpSocket::bind(hostile::argument(0))?;
        socket.send_to(b"any secrets?", hostile::argument(1))?;
        let mut answer = [0; 100];
        let (length, _) = socket.recv_from(&mut answer)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer[..length]).into_owned())
    };
    hostile::end(exchange());
}
