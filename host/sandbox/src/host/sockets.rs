//! Functions of `wasi:sockets` in place of wasmtime-wasi's: lookups of names, of which it makes all at once, and
//! datagrams, of which any number may wait.

use std::net::{IpAddr, SocketAddr};

use lp_base::words::Host;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::p2::bindings::sockets as p2;
use wasmtime_wasi::p2::{Network, subscribe};
use wasmtime_wasi::p3::bindings::sockets as p3;
use wasmtime_wasi::p3::bindings::sockets::types::HostUdpSocketWithStore;
use wasmtime_wasi::p3::sockets::SocketResult;
use wasmtime_wasi::sockets::{UdpSocket, WasiSockets, WasiSocketsView};

use crate::lookups::{Addresses, NotFound};
use crate::sockets::judged_host;
use crate::state::State;

/// The buffer that the host has for a datagram that is received, and the most that one has in it.
const DATAGRAM_BYTES_MAX: u64 = 64 << 10;

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

/// Has the datagrams counted that a guest waits for or sends by WASI 0.3, of which there may be any number at once.
pub fn add_p3_datagrams_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut types = linker.instance("wasi:sockets/types@0.3.0")?;
    types.func_wrap_concurrent("[method]udp-socket.receive", |accessor, (socket,): (Resource<UdpSocket>,)| {
        Box::pin(async move {
            let _hold = accessor.with(|mut access| access.get().hold_datagram(DATAGRAM_BYTES_MAX))?;
            let sockets = accessor.with_getter::<WasiSockets>(State::sockets);
            let received = <WasiSockets as HostUdpSocketWithStore<State>>::receive(&sockets, socket).await;
            told(received)
        })
    })?;
    types.func_wrap_concurrent(
        "[method]udp-socket.send",
        |accessor, (socket, bytes, address): (Resource<UdpSocket>, Vec<u8>, Option<p3::types::IpSocketAddress>)| {
            Box::pin(async move {
                // A longer one is refused as soon as it is looked at.
                let held = DATAGRAM_BYTES_MAX.min(bytes.len() as u64);
                let _hold = accessor.with(|mut access| access.get().hold_datagram(held))?;
                let sockets = accessor.with_getter::<WasiSockets>(State::sockets);
                let sent = <WasiSockets as HostUdpSocketWithStore<State>>::send(&sockets, socket, bytes, address).await;
                told(sent)
            })
        },
    )
}

fn told<T>(result: SocketResult<T>) -> Result<(Result<T, p3::types::ErrorCode>,)> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(error) => Err(error.downcast()?),
    },))
}

fn judged(state: &State, name: String) -> Option<Host> {
    judged_host(&state.spec.node.sandbox.network, &state.denials, &name)
}
