//! TCP.

use futures::join;
use wasip3::sockets::types::{ErrorCode, IpAddressFamily, IpSocketAddress, TcpSocket};
use wasip3::wit_stream;

use super::{PORT, foreign, here, mapped, not_here, of_many, parts, unspecified};

type Accepted = wasip3::wit_bindgen::StreamReader<TcpSocket>;

const SECOND: u64 = 1_000_000_000;

fn socket(family: IpAddressFamily) -> TcpSocket {
    TcpSocket::create(family).expect("there is one")
}

fn bound(family: IpAddressFamily) -> (TcpSocket, IpSocketAddress) {
    let socket = socket(family);
    is!(socket.bind(here(family, 0)), Ok(()));
    let address = socket.get_local_address().expect("it is bound");
    (socket, address)
}

fn listening(family: IpAddressFamily) -> (TcpSocket, IpSocketAddress, Accepted) {
    let (socket, address) = bound(family);
    let accepted = socket.listen().expect("it is bound");
    (socket, address, accepted)
}

/// Two ends of a connection: who listened, and who connected.
async fn connected(family: IpAddressFamily) -> (TcpSocket, TcpSocket) {
    let (_listener, address, mut accepted) = listening(family);
    let client = socket(family);
    let (server, connected) = join!(accepted.next(), client.connect(address));
    is!(connected, Ok(()));
    (server.expect("the client has connected"), client)
}

async fn send_all(socket: &TcpSocket, bytes: &[u8]) -> Result<(), ErrorCode> {
    let (mut writer, reader) = wit_stream::new();
    let (sent, ()) = join!(socket.send(reader).into_future(), async {
        writer.write_all(bytes.to_vec()).await;
        drop(writer);
    });
    sent
}

/// Sends back what it gets from one that connects; where to connect is its first line.
pub async fn echo(family: IpAddressFamily) {
    let (_listener, address, mut accepted) = listening(family);
    println!("{}", parts(address).1);
    let socket = accepted.next().await.expect("the test connects");
    let (mut bytes, ended) = socket.receive();
    let (_, got) = bytes.read(Vec::with_capacity(100)).await;
    drop(bytes);
    is!(ended.await, Ok(()));
    is!(send_all(&socket, &got).await, Ok(()));
}

pub async fn bind(family: IpAddressFamily) {
    is!(socket(family).bind(foreign(family, 0)), Err(ErrorCode::InvalidArgument));
    for address in of_many(family, 0) {
        is!(socket(family).bind(address), Err(ErrorCode::InvalidArgument));
    }
    if matches!(family, IpAddressFamily::Ipv6) {
        is!(socket(family).bind(mapped(0)), Err(ErrorCode::InvalidArgument));
    }
    for address in not_here(family) {
        is!(socket(family).bind(address), Err(ErrorCode::AddressNotBindable));
    }
    let (once, address) = bound(family);
    assert_eq!(parts(address).0, parts(here(family, 0)).0);
    assert_ne!(parts(address).1, 0);
    is!(once.bind(here(family, 0)), Err(ErrorCode::InvalidState));
    let (_listener, address, _accepted) = listening(family);
    is!(socket(family).bind(address), Err(ErrorCode::AddressInUse));
    is!(socket(family).bind(address), Err(ErrorCode::AddressInUse));

    // An address is free as soon as its socket is gone, whatever was left of a connection.
    let (listener, address, mut accepted) = listening(family);
    let client = socket(family);
    let (server, _) = join!(accepted.next(), client.connect(address));
    is!(send_all(&server.expect("the client has connected"), &[0]).await, Ok(()));
    drop((listener, accepted));
    let next = socket(family);
    is!(next.bind(address), Ok(()));
    is!(next.listen(), Ok(_));
}

pub async fn connect(family: IpAddressFamily) {
    let wrong = [foreign(family, PORT), unspecified(family, PORT), here(family, 0)];
    for address in wrong.into_iter().chain(of_many(family, PORT)) {
        is!(socket(family).connect(address).await, Err(ErrorCode::InvalidArgument));
    }
    if matches!(family, IpAddressFamily::Ipv6) {
        is!(socket(family).connect(mapped(PORT)).await, Err(ErrorCode::InvalidArgument));
    }
    let (gone, address) = bound(family);
    drop(gone);
    is!(socket(family).connect(address).await, Err(ErrorCode::ConnectionRefused));

    let (listener, address, mut accepted) = listening(family);
    is!(listener.connect(here(family, PORT)).await, Err(ErrorCode::InvalidState));
    let (client, _) = bound(family);
    let (server, connected) = join!(accepted.next(), client.connect(address));
    is!((server, connected), (Some(_), Ok(())));
    is!(client.connect(address).await, Err(ErrorCode::InvalidState));
    is!(socket(family).bind(address), Err(ErrorCode::AddressInUse));
}

pub async fn listen(family: IpAddressFamily) {
    // One that is not bound gets a port.
    let unbound = socket(family);
    is!(unbound.get_local_address(), Err(_));
    let accepted = unbound.listen().expect("it can listen");
    is!(unbound.get_local_address(), Ok(_));
    drop(accepted);

    let (listener, address, mut accepted) = listening(family);
    is!(listener.listen(), Err(ErrorCode::InvalidState));
    let client = socket(family);
    let (server, connected) = join!(accepted.next(), client.connect(address));
    is!(connected, Ok(()));
    let server = server.expect("the client has connected");
    let properties = |socket: &TcpSocket| {
        let (family, idle) = (socket.get_address_family(), socket.get_keep_alive_idle_time());
        let (enabled, count) = (socket.get_keep_alive_enabled(), socket.get_keep_alive_count());
        let (interval, hops) = (socket.get_keep_alive_interval(), socket.get_hop_limit());
        format!("{family:?} {enabled:?} {idle:?} {interval:?} {count:?} {hops:?}")
    };
    assert_eq!(properties(&server), properties(&listener));
}

pub fn properties(family: IpAddressFamily) {
    let socket = socket(family);
    let none = [
        socket.set_listen_backlog_size(0),
        socket.set_keep_alive_idle_time(0),
        socket.set_keep_alive_interval(0),
        socket.set_keep_alive_count(0),
        socket.set_hop_limit(0),
        socket.set_receive_buffer_size(0),
        socket.set_send_buffer_size(0),
    ];
    none.into_iter().for_each(|set| is!(set, Err(ErrorCode::InvalidArgument)));
    for size in [1, u64::MAX] {
        is!(socket.set_listen_backlog_size(size), Ok(()));
        is!(socket.set_receive_buffer_size(size), Ok(()));
        is!(socket.set_send_buffer_size(size), Ok(()));
        is!(socket.set_keep_alive_idle_time(size), Ok(()));
        is!(socket.set_keep_alive_interval(size), Ok(()));
        if size == 1 {
            is!(socket.get_keep_alive_idle_time(), Ok(1..=SECOND));
            is!(socket.get_keep_alive_interval(), Ok(1..=SECOND));
        }
    }
    [1, u32::MAX, 42].into_iter().for_each(|count| is!(socket.set_keep_alive_count(count), Ok(())));
    is!(socket.get_keep_alive_count(), Ok(42));
    [1, u8::MAX, 42].into_iter().for_each(|hops| is!(socket.set_hop_limit(hops), Ok(())));
    is!(socket.get_hop_limit(), Ok(42));
    for enabled in [true, false] {
        is!(socket.set_keep_alive_enabled(enabled), Ok(()));
        is!(socket.get_keep_alive_enabled(), Ok(is) if is == enabled);
    }
    let time = 42 * SECOND;
    is!(socket.set_keep_alive_idle_time(time), Ok(()));
    is!(socket.get_keep_alive_idle_time(), Ok(is) if is == time);
    is!(socket.set_keep_alive_interval(time), Ok(()));
    is!(socket.get_keep_alive_interval(), Ok(is) if is == time);
    is!(socket.set_receive_buffer_size(0x10000), Ok(()));
    is!(socket.get_receive_buffer_size(), Ok(0x10000));
    is!(socket.set_send_buffer_size(0x10000), Ok(()));
    is!(socket.get_send_buffer_size(), Ok(0x10000));
}

pub async fn receive(family: IpAddressFamily) {
    is!(socket(family).receive().1.await, Err(ErrorCode::InvalidState));
    let (server, _client) = connected(family).await;
    let (first, second) = (server.receive(), server.receive());
    drop(first.0);
    is!(first.1.await, Ok(()));
    is!(second.1.await, Err(ErrorCode::InvalidState));

    // Who stops to receive has whoever sends fail.
    let (server, client) = connected(family).await;
    is!(send_all(&server, &[0]).await, Ok(()));
    let (bytes, ended) = client.receive();
    drop(bytes);
    is!(send_all(&server, &[0]).await, Err(_));
    is!(ended.await, Ok(()));
}

pub async fn send(family: IpAddressFamily) {
    let (_, reader) = wit_stream::new();
    is!(socket(family).send(reader).await, Err(ErrorCode::InvalidState));

    // The end of what one end sends is not the end of what it receives.
    let (server, client) = connected(family).await;
    is!(send_all(&server, b"0123456789").await, Ok(()));
    let (bytes, ended) = client.receive();
    assert_eq!(bytes.collect().await, b"0123456789");
    is!(ended.await, Ok(()));
    is!(send_all(&client, b"9876543210").await, Ok(()));
    let (bytes, ended) = server.receive();
    assert_eq!(bytes.collect().await, b"9876543210");
    is!(ended.await, Ok(()));
}
