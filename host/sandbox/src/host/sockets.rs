//! The lookups of names of `wasi:sockets`, in place of wasmtime-wasi's: of itself it allows all or none.

use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::p2::Network;
use wasmtime_wasi::p2::bindings::sockets as p2;
use wasmtime_wasi::p3::bindings::sockets as p3;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

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

fn judged(state: &State, name: String) -> Option<String> {
    judged_name(&state.spec.node.sandbox.network, &state.denials, name)
}
