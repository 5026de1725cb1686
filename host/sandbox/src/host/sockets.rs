//! Functions of `wasi:sockets` in place of wasmtime-wasi's: lookups of names, of which it allows all or none by itself, and
//! receiving datagrams, of which any number may wait.

use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::p2::Network;
use wasmtime_wasi::p2::bindings::sockets as p2;
use wasmtime_wasi::p3::bindings::sockets as p3;
use wasmtime_wasi::p3::bindings::sockets::types::HostUdpSocketWithStore;
use wasmtime_wasi::sockets::{UdpSocket, WasiSockets, WasiSocketsView};

use crate::sockets::judged_name;
use crate::state::State;

/// Has lookups of names by WASI 0.2 judged before wasmtime makes them.
pub fn add_p2_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut lookup = linker.instance("wasi:sockets/ip-name-lookup@0.2.12")?;
    lookup.func_wrap(
        "resolve-addresses",
        |mut store: StoreContextMut<'_, State>, (network, name): (Resource<Network>, String)| {
            let Some(name) = judged(store.data(), name) else {
                return Ok((Err(p2::network::ErrorCode::AccessDenied),));
            };
            let stream = p2::ip_name_lookup::Host::resolve_addresses(&mut store.data_mut().sockets(), network, name);
            Ok((match stream {
                Ok(stream) => Ok(stream),
                Err(error) => Err(error.downcast()?),
            },))
        },
    )
}

/// The same for WASI 0.3.
pub fn add_p3_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut lookup = linker.instance("wasi:sockets/ip-name-lookup@0.3.0")?;
    lookup.func_wrap_concurrent("resolve-addresses", |accessor, (name,): (String,)| {
        Box::pin(async move {
            let Some(name) = accessor.with(|mut access| judged(access.get(), name)) else {
                return Ok((Err(p3::ip_name_lookup::ErrorCode::AccessDenied),));
            };
            let sockets = accessor.with_getter::<WasiSockets>(State::sockets);
            let found = <WasiSockets as p3::ip_name_lookup::HostWithStore<State>>::resolve_addresses(&sockets, name);
            Ok((found.await?,))
        })
    })
}

/// Has a guest wait for as many datagrams at once as it may have sockets, and no more: each takes the host a buffer of the
/// size of the largest datagram, whether or not one comes.
pub fn add_p3_receive_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut types = linker.instance("wasi:sockets/types@0.3.0")?;
    types.func_wrap_concurrent("[method]udp-socket.receive", |accessor, (socket,): (Resource<UdpSocket>,)| {
        Box::pin(async move {
            let _waiting = accessor.with(|mut access| access.get().wait_for_datagram())?;
            let sockets = accessor.with_getter::<WasiSockets>(State::sockets);
            let received = <WasiSockets as HostUdpSocketWithStore<State>>::receive(&sockets, socket).await;
            Ok((match received {
                Ok(received) => Ok(received),
                Err(error) => Err(error.downcast()?),
            },))
        })
    })
}

fn judged(state: &State, name: String) -> Option<String> {
    judged_name(&state.spec.node.sandbox.network, &state.denials, name)
}
