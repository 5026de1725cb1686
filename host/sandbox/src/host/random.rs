//! The random bytes of `wasi:random`, in place of wasmtime-wasi's: it makes all that a guest asks for at once.

use wasmtime::component::{Linker, LinkerInstance};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::bindings::random::{insecure, random};
use wasmtime_wasi::random::WasiRandomCtx;

use super::yielding::yield_once;
use crate::limits::LimitHit;
use crate::state::State;

/// The bytes that are made before others have a turn: less than a millisecond of them.
const PIECE_BYTES: u64 = 64 * 1024;

/// Makes so many bytes.
type Make = fn(&mut WasiRandomCtx, u64) -> Result<Vec<u8>>;

/// Makes the random bytes of WASI 0.2 in pieces.
pub fn add_p2_to_linker(linker: &mut Linker<State>) -> Result<()> {
    add(linker, "0.2.12")
}

/// The same for WASI 0.3.
pub fn add_p3_to_linker(linker: &mut Linker<State>) -> Result<()> {
    add(linker, "0.3.0")
}

fn add(linker: &mut Linker<State>, version: &str) -> Result<()> {
    let mut secure = linker.instance(&format!("wasi:random/random@{version}"))?;
    add_bytes(&mut secure, "get-random-bytes", <WasiRandomCtx as random::Host>::get_random_bytes)?;
    let mut insecure = linker.instance(&format!("wasi:random/insecure@{version}"))?;
    add_bytes(&mut insecure, "get-insecure-random-bytes", <WasiRandomCtx as insecure::Host>::get_insecure_random_bytes)
}

fn add_bytes(interface: &mut LinkerInstance<'_, State>, name: &str, make: Make) -> Result<()> {
    interface.func_wrap_async(name, move |mut store: StoreContextMut<'_, State>, (len,): (u64,)| {
        Box::new(async move {
            // What the guest takes from the host in one call, as what it hands to the host.
            LimitHit::check_message(&store.data().spec.node.limits, len)?;
            Ok((in_pieces(len, |piece| make(store.data_mut().ctx().ctx.random(), piece)).await?,))
        })
    })
}

/// So many bytes, as `make` gives them.
async fn in_pieces(len: u64, mut make: impl FnMut(u64) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let piece = (len - bytes.len() as u64).min(PIECE_BYTES);
        bytes.extend(make(piece)?);
        if bytes.len() as u64 == len {
            return Ok(bytes);
        }
        yield_once().await;
    }
}

#[cfg(test)]
mod tests {
    use lp_base::scheduler::{Scheduler, simulate};
    use lp_base::words::Random;
    use wasmtime_wasi::WasiCtxBuilder;

    use super::{Make, PIECE_BYTES, WasiRandomCtx, in_pieces, insecure, random};

    #[test]
    fn pieces_are_what_the_same_seed_gives_at_once() {
        let set = |random: Random, scheduler: &Scheduler| {
            let mut wasi = WasiCtxBuilder::new();
            crate::random::set(&mut wasi, random, "node/0", scheduler);
            wasi.build()
        };
        let makes: [Make; 2] = [
            <WasiRandomCtx as random::Host>::get_random_bytes,
            <WasiRandomCtx as insecure::Host>::get_insecure_random_bytes,
        ];
        for make in makes {
            let len = 2 * PIECE_BYTES + 3;
            let drawn = [Random::Real, Random::Seed(7)].map(|random| {
                let at_once = simulate(1, async |scheduler| make(set(random, &scheduler).random(), len));
                let pieces = simulate(1, async |scheduler| {
                    let mut wasi = set(random, &scheduler);
                    in_pieces(len, |piece| make(wasi.random(), piece)).await
                });
                let [at_once, pieces] = [at_once, pieces].map(|bytes| bytes.expect("it ends").expect("it is made"));
                assert!(at_once == pieces);
                pieces
            });
            assert!(drawn[0] != drawn[1]);
        }
    }
}
