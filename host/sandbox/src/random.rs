//! Random numbers that are the same in every run.

use chacha20::ChaCha12Rng;
use chacha20::rand_core::SeedableRng;
use lp_base::words::Random;
use sha2::{Digest, Sha256};
use wasmtime_wasi::WasiCtxBuilder;

/// Sets where the random numbers of the replica called `label` come from. Replicas with the same seed have different ones,
/// as have the three interfaces of `wasi:random`.
pub fn set(wasi: &mut WasiCtxBuilder, random: Random, label: &str) {
    let Random::Seed(seed) = random else { return };
    let seed = |what: &str| -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(format!("{label} {what}"));
        hash.finalize().into()
    };
    wasi.secure_random(ChaCha12Rng::from_seed(seed("random")));
    wasi.insecure_random(ChaCha12Rng::from_seed(seed("insecure")));
    let insecure_seed = seed("insecure-seed");
    let half = insecure_seed.first_chunk().expect("16 bytes are half of it");
    wasi.insecure_random_seed(u128::from_le_bytes(*half));
}
