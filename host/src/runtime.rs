//! The one module that names wasmtime.
mod export;
mod import;
mod signature;
mod wire;
