//! UDP.

use futures::join;
use wasip3::sockets::types::{ErrorCode, IpAddressFamily, IpSocketAddress, UdpSocket};

use super::{PORT, foreign, here, mapped, not_here, parts, unspecified};

fn socket(family: IpAddressFamily) -> UdpSocket {
    UdpSocket::create(family).expect("there is one")
}

fn bound(family: IpAddressFamily) -> (UdpSocket, IpSocketAddress) {
    let socket = socket(family);
    is!(socket.bind(here(family, 0)), Ok(()));
    let address = socket.get_local_address().expect("it is bound");
    (socket, address)
}

pub fn bind(family: IpAddressFamily) {
    is!(socket(family).bind(foreign(family, 0)), Err(ErrorCode::InvalidArgument));
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
    let anywhere = socket(family);
    is!(anywhere.bind(unspecified(family, 0)), Ok(()));
    is!(anywhere.get_local_address(), Ok(address) if parts(address).1 != 0);
}

pub fn connect(family: IpAddressFamily) {
    for address in [foreign(family, PORT), unspecified(family, PORT), here(family, 0)] {
        is!(socket(family).connect(address), Err(ErrorCode::InvalidArgument));
    }
    if matches!(family, IpAddressFamily::Ipv6) {
        is!(socket(family).connect(mapped(PORT)), Err(ErrorCode::InvalidArgument));
    }
    let (_bound, address) = bound(family);
    is!(socket(family).bind(address), Err(ErrorCode::AddressInUse));

    let socket = socket(family);
    is!(socket.get_local_address(), Err(_));
    is!(socket.disconnect(), Err(ErrorCode::InvalidState));
    let host = parts(here(family, 0)).0;
    for port in [PORT, PORT] {
        is!(socket.connect(here(family, port)), Ok(()));
        is!(socket.get_remote_address(), Ok(address) if parts(address) == (host.clone(), port));
    }
    is!(socket.get_local_address(), Ok(address) if parts(address).0 == host && parts(address).1 != PORT);
    is!(socket.disconnect(), Ok(()));
    is!(socket.connect(here(family, PORT + 1)), Ok(()));
    is!(socket.get_remote_address(), Ok(address) if parts(address) == (host, PORT + 1));
}

pub fn properties(family: IpAddressFamily) {
    let socket = socket(family);
    let none = [socket.set_unicast_hop_limit(0), socket.set_receive_buffer_size(0), socket.set_send_buffer_size(0)];
    none.into_iter().for_each(|set| is!(set, Err(ErrorCode::InvalidArgument)));
    [1, u8::MAX, 42].into_iter().for_each(|hops| is!(socket.set_unicast_hop_limit(hops), Ok(())));
    is!(socket.get_unicast_hop_limit(), Ok(42));
    for size in [1, u64::MAX, 0x10000] {
        is!(socket.set_receive_buffer_size(size), Ok(()));
        is!(socket.set_send_buffer_size(size), Ok(()));
    }
    is!(socket.get_receive_buffer_size(), Ok(0x10000));
    is!(socket.get_send_buffer_size(), Ok(0x10000));
}

pub async fn receive(family: IpAddressFamily) {
    is!(socket(family).receive().await, Err(ErrorCode::InvalidState));
    let ((server, address), client) = (bound(family), socket(family));
    is!(client.connect(address), Ok(()));
    let (received, sent) = join!(server.receive(), client.send(vec![1, 2, 3, 4], None));
    is!(sent, Ok(()));
    let (bytes, sender) = received.expect("one was sent");
    assert_eq!(bytes, [1, 2, 3, 4]);
    is!(client.get_local_address(), Ok(address) if parts(address) == parts(sender));
}

pub async fn send(family: IpAddressFamily) {
    let to = |socket: UdpSocket, address| async move { socket.send(vec![0], address).await };
    is!(
        to(socket(family), Some(foreign(family, PORT))).await,
        Err(ErrorCode::InvalidArgument
            | ErrorCode::NotSupported
            | ErrorCode::RemoteUnreachable
            | ErrorCode::Other(None))
    );
    // The suite allows what systems do here.
    is!(
        to(socket(family), Some(unspecified(family, PORT))).await,
        Ok(()) | Err(ErrorCode::InvalidArgument | ErrorCode::AddressNotBindable | ErrorCode::RemoteUnreachable)
    );
    is!(
        to(socket(family), Some(here(family, 0))).await,
        Ok(()) | Err(ErrorCode::InvalidArgument | ErrorCode::AddressNotBindable)
    );
    is!(to(socket(family), None).await, Err(ErrorCode::InvalidArgument));
    let unbound = socket(family);
    is!(unbound.send(vec![0], Some(here(family, PORT))).await, Ok(()));
    is!((unbound.get_local_address(), unbound.get_remote_address()), (Ok(_), Err(_)));
    is!(unbound.send(vec![0; 65536], Some(here(family, PORT))).await, Err(ErrorCode::DatagramTooLarge));

    let (connected, address) = bound(family);
    is!(connected.connect(address), Ok(()));
    is!(connected.send(vec![0], None).await, Ok(()));
    is!(connected.send(vec![0], Some(address)).await, Ok(()));
    is!(connected.send(vec![0], Some(here(family, PORT))).await, Err(ErrorCode::InvalidArgument));
}
