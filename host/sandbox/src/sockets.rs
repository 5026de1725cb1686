//! Which sockets a guest may use and which names it may look up.

use std::future::ready;
use std::net::{Ipv6Addr, SocketAddr};

use lp_base::interfaces::NETWORK;
use lp_base::words::{Host, NetworkGrant, NetworkUse};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;

use super::denials::Denials;

/// Has every use of an address by a guest judged by `grants`. Sockets themselves can always be made: they reach nothing
/// by that, and so a denial names what was to be reached.
pub fn judge(wasi: &mut WasiCtxBuilder, grants: &[NetworkGrant], denials: &Denials) {
    let (grants, denials) = (grants.to_owned(), denials.clone());
    wasi.allow_tcp(true).allow_udp(true).allow_ip_name_lookup(true);
    wasi.socket_addr_check(move |address, used| {
        let allowed = is_allowed(&grants, used, address);
        if !allowed && let Some(tried) = tried(used, address) {
            denials.tell(tried, NETWORK);
        }
        Box::pin(ready(allowed))
    });
}

fn is_allowed(grants: &[NetworkGrant], used: SocketAddrUse, address: SocketAddr) -> bool {
    let allows = |used| grants.iter().any(|grant| grant.allows(used, address));
    // Before a socket connects or sends, the system binds it so; where it may go on from there is judged then.
    let is_unbound = address.ip().is_unspecified() && address.port() == 0;
    match used {
        SocketAddrUse::TcpConnect => allows(NetworkUse::TcpConnect),
        SocketAddrUse::TcpBind => is_unbound || allows(NetworkUse::TcpListen),
        // The port was judged when the socket was bound to it, unless the system has picked it.
        SocketAddrUse::TcpListen => {
            let picked = |grant: &NetworkGrant| grant.allows_picked_port(NetworkUse::TcpListen, address.ip());
            allows(NetworkUse::TcpListen) || grants.iter().any(picked)
        }
        // Where the guest listens was judged; who connects is for it to judge.
        SocketAddrUse::TcpAccept => true,
        SocketAddrUse::UdpBind => is_unbound || allows(NetworkUse::UdpBind),
        SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => allows(NetworkUse::Udp),
    }
}

/// What a guest tried; `None` where it was somebody else who did.
fn tried(used: SocketAddrUse, address: SocketAddr) -> Option<String> {
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    match used {
        SocketAddrUse::TcpConnect => Some(format!("connect to {address}")),
        SocketAddrUse::TcpBind => Some(format!("bind a TCP socket to {address}")),
        SocketAddrUse::TcpListen => Some(format!("listen at {address}")),
        SocketAddrUse::UdpBind => Some(format!("bind a UDP socket to {address}")),
        SocketAddrUse::UdpSend => Some(format!("send a datagram to {address}")),
        SocketAddrUse::TcpAccept | SocketAddrUse::UdpReceive => None,
    }
}

/// The host that is to be looked up, if that is granted. An address stands for itself and needs no grant.
pub fn judged_host(grants: &[NetworkGrant], denials: &Denials, name: &str) -> Option<Host> {
    let host: Host = match name.parse() {
        Ok(host) => host,
        Err(error) => match name.parse::<Ipv6Addr>() {
            Ok(address) => return Some(Host::Address(address.into())),
            Err(_) => {
                denials.tell(format_args!("look up what is no name: {error}"), NETWORK);
                return None;
            }
        },
    };
    if matches!(host, Host::Address(_)) || grants.iter().any(|grant| grant.allows_lookup(&host)) {
        return Some(host);
    }
    denials.tell(format_args!("look up `{host}`"), NETWORK);
    None
}
