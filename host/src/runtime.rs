//! The one module that names wasmtime.
mod export;
mod import;
mod signature;
mod wire;

#[cfg(feature = "fuzzing")]
pub use wire::check_decoding;
