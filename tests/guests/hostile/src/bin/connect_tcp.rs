//! Connects to an address and reads what it is told there.

use std::io::Read;
use std::net::TcpStream;

fn main() {
    let connection = TcpStream::connect(hostile::argument(0));
    hostile::end(connection.and_then(|mut connection| {
        let mut text = String::new();
        connection.read_to_string(&mut text)?;
        Ok(text)
    }));
}
