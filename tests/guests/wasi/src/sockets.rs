//! Sockets of this machine. The test grants all addresses; what is denied, others check.

mod tcp;
mod udp;

use wasip3::sockets::types::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};

pub async fn check(name: &str) {
    for family in [IpAddressFamily::Ipv4, IpAddressFamily::Ipv6] {
        match name {
            "echo" if matches!(family, IpAddressFamily::Ipv6) => {}
            "echo" => tcp::echo(family).await,
            "tcp-bind" => tcp::bind(family).await,
            "tcp-connect" => tcp::connect(family).await,
            "tcp-listen" => tcp::listen(family).await,
            "tcp-properties" => tcp::properties(family),
            "tcp-receive" => tcp::receive(family).await,
            "tcp-send" => tcp::send(family).await,
            "udp-bind" => udp::bind(family),
            "udp-connect" => udp::connect(family),
            "udp-properties" => udp::properties(family),
            "udp-receive" => udp::receive(family).await,
            "udp-send" => udp::send(family).await,
            name => panic!("`sockets-{name}` is no check"),
        }
    }
}

/// A port at which nobody listens; who is bound to a port of the system's own choice has another one.
const PORT: u16 = 42;

/// An address of the family: of its host, the last number.
fn address(family: IpAddressFamily, host: u8, port: u16) -> IpSocketAddress {
    match family {
        IpAddressFamily::Ipv4 if host == 0 => v4((0, 0, 0, 0), port),
        IpAddressFamily::Ipv4 => v4((127, 0, 0, host), port),
        IpAddressFamily::Ipv6 => v6((0, 0, 0, 0, 0, 0, 0, host.into()), port),
    }
}

fn here(family: IpAddressFamily, port: u16) -> IpSocketAddress {
    address(family, 1, port)
}

/// No address in particular.
fn unspecified(family: IpAddressFamily, port: u16) -> IpSocketAddress {
    address(family, 0, port)
}

/// An address of the other family.
fn foreign(family: IpAddressFamily, port: u16) -> IpSocketAddress {
    match family {
        IpAddressFamily::Ipv4 => here(IpAddressFamily::Ipv6, port),
        IpAddressFamily::Ipv6 => here(IpAddressFamily::Ipv4, port),
    }
}

/// An IPv4 address that is written as IPv6.
fn mapped(port: u16) -> IpSocketAddress {
    v6((0, 0, 0, 0, 0, 0xffff, 0x7f00, 1), port)
}

/// Addresses of examples, which no machine has.
fn not_here(family: IpAddressFamily) -> Vec<IpSocketAddress> {
    match family {
        IpAddressFamily::Ipv4 => [(192, 0, 2, 1), (198, 51, 100, 1), (203, 0, 113, 1)].map(|host| v4(host, 0)).into(),
        IpAddressFamily::Ipv6 => vec![v6((0x2001, 0x0db8, 0, 0, 0, 0, 0, 1), 0)],
    }
}

/// Addresses of many machines.
fn of_many(family: IpAddressFamily, port: u16) -> Vec<IpSocketAddress> {
    match family {
        IpAddressFamily::Ipv4 => {
            let groups = (224..=239).map(|first| (first, 0, 0, 1));
            groups.chain([(255, 255, 255, 255)]).map(|host| v4(host, port)).collect()
        }
        IpAddressFamily::Ipv6 => (0xff00..=0xffff).map(|first| v6((first, 0, 0, 0, 0, 0, 0, 1), port)).collect(),
    }
}

fn v4(address: (u8, u8, u8, u8), port: u16) -> IpSocketAddress {
    IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address })
}

fn v6(address: (u16, u16, u16, u16, u16, u16, u16, u16), port: u16) -> IpSocketAddress {
    IpSocketAddress::Ipv6(Ipv6SocketAddress { port, address, flow_info: 0, scope_id: 0 })
}

/// The host of the address, and its port.
fn parts(address: IpSocketAddress) -> (String, u16) {
    match address {
        IpSocketAddress::Ipv4(address) => (format!("{:?}", address.address), address.port),
        IpSocketAddress::Ipv6(address) => (format!("{:?}", address.address), address.port),
    }
}
