//! Which sockets a guest may use and which names it may look up.

use std::future::ready;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use lp_base::interfaces::NETWORK;
use lp_base::words::{Host, NetworkGrant, NetworkUse};
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::sockets as p2;
use wasmtime_wasi::p2::{Network, subscribe};
use wasmtime_wasi::p3::bindings::sockets as p3;
use wasmtime_wasi::sockets::SocketAddrUse;

use super::denials::Denials;
use super::lookups::{Addresses, NotFound};
use super::state::State;

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

/// Serves lookups of names by WASI 0.2 in place of wasmtime, which allows all or none and makes all at once.
pub fn add_p2_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut lookup = linker.instance("wasi:sockets/ip-name-lookup@0.2.12")?;
    lookup.resource("resolve-address-stream", ResourceType::host::<Addresses>(), |mut store, rep| {
        store.data_mut().table.delete(Resource::<Addresses>::new_own(rep))?;
        Ok(())
    })?;
    lookup.func_wrap(
        "resolve-addresses",
        |mut store: StoreContextMut<'_, State>, (network, name): (Resource<Network>, String)| {
            store.data().table.get(&network)?;
            let Some(wanted) = judged(store.data(), name) else {
                return Ok((Err(p2::network::ErrorCode::AccessDenied),));
            };
            let addresses = match wanted {
                Host::Address(address) => Addresses::known(SocketAddr::new(address, 0)),
                Host::Name(name) => Addresses::of(store.data().lookups.clone(), name),
            };
            Ok((Ok(store.data_mut().table.push(addresses)?),))
        },
    )?;
    lookup.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        |mut store: StoreContextMut<'_, State>, (addresses,): (Resource<Addresses>,)| {
            let next = store.data_mut().table.get_mut(&addresses)?.next();
            Ok((match next {
                None => Err(p2::network::ErrorCode::WouldBlock),
                Some(Err(NotFound)) => Err(p2::network::ErrorCode::NameUnresolvable),
                Some(Ok(address)) => Ok(address.map(|address| p2::network::IpAddress::from(canonical(address)))),
            },))
        },
    )?;
    lookup.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: StoreContextMut<'_, State>, (addresses,): (Resource<Addresses>,)| {
            Ok((subscribe(&mut store.data_mut().table, addresses)?,))
        },
    )
}

/// The same for WASI 0.3.
pub fn add_p3_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut lookup = linker.instance("wasi:sockets/ip-name-lookup@0.3.0")?;
    lookup.func_wrap_concurrent("resolve-addresses", |accessor, (name,): (String,)| {
        Box::pin(async move {
            let found = accessor.with(|mut access| {
                let state: &State = access.get();
                judged(state, name).map(|wanted| (wanted, state.lookups.clone()))
            });
            let addresses = match found {
                None => return Ok((Err(p3::ip_name_lookup::ErrorCode::AccessDenied),)),
                Some((Host::Address(address), _)) => vec![SocketAddr::new(address, 0)],
                Some((Host::Name(name), lookups)) => match lookups.addresses(&name, 0).await {
                    Ok(addresses) => addresses,
                    Err(_) => return Ok((Err(p3::ip_name_lookup::ErrorCode::NameUnresolvable),)),
                },
            };
            let addresses = addresses.into_iter().map(|address| p3::types::IpAddress::from(canonical(address)));
            Ok((Ok(addresses.collect::<Vec<_>>()),))
        })
    })
}

fn canonical(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}

/// The host that is to be looked up, if that is granted. An address stands for itself and needs no grant.
fn judged(state: &State, name: String) -> Option<Host> {
    let host: Host = match name.parse() {
        Ok(host) => host,
        Err(error) => match name.parse::<Ipv6Addr>() {
            Ok(address) => return Some(Host::Address(address.into())),
            Err(_) => {
                state.denials.tell(format_args!("look up what is no name: {error}"), NETWORK);
                return None;
            }
        },
    };
    let grants = &state.spec.node.sandbox.network;
    if matches!(host, Host::Address(_)) || grants.iter().any(|grant| grant.allows_lookup(&host)) {
        return Some(host);
    }
    state.denials.tell(format_args!("look up `{host}`"), NETWORK);
    None
}
