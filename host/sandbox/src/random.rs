//! The random numbers of a guest: those of its worker, or the same in every run.

use chacha20::ChaCha12Rng;
use chacha20::rand_core::SeedableRng;
use lp_base::scheduler::{Entropy, Scheduler};
use lp_base::words::Random;
use sha2::{Digest, Sha256};
use wasmtime_wasi::WasiCtxBuilder;

/// Sets where the random numbers of the replica called `label` come from. Replicas with the same seed have different ones,
/// as have the three interfaces of `wasi:random`.
///
/// Where the system has no randomness, the guest's own request fails, by wasmtime.
pub fn set(wasi: &mut WasiCtxBuilder, random: Random, label: &str, scheduler: &Scheduler) {
    let seeds = ["random", "insecure", "insecure-seed"].map(|what| match random {
        Random::Seed(seed) => Some(fixed(seed, label, what)),
        Random::Real => scheduler.entropy(&format!("{label} {what}")).ok(),
    });
    let [Some(secure), Some(insecure), Some(insecure_seed)] = seeds else { return };
    wasi.secure_random(ChaCha12Rng::from_seed(secure));
    wasi.insecure_random(ChaCha12Rng::from_seed(insecure));
    let half = insecure_seed.first_chunk().expect("16 bytes are half of it");
    wasi.insecure_random_seed(u128::from_le_bytes(*half));
}

/// The seed that a plan's own gives to one of the interfaces.
fn fixed(seed: i64, label: &str, what: &str) -> Entropy {
    let hash = Sha256::new().chain_update(seed.to_le_bytes());
    hash.chain_update(format!("{label} {what}")).finalize().into()
}
