//! Whether Rust can build nodes here.

use std::path::Path;

use super::shell::Shell;

/// The target that components are built for.
const TARGET: &str = "wasm32-wasip2";
/// What adds it; `lp-host build` runs it for a line that needs the target.
pub(in crate::cli) const ADD_TARGET: &str = "rustup target add wasm32-wasip2";

/// What of Rust is there.
pub(in crate::cli) enum State {
    /// Everything.
    Ready,
    /// The compiler, and rustup to add the target.
    TargetMissing,
    /// Neither the target, nor a way to have it.
    Missing,
}

/// Looks for Cargo and the target.
pub(in crate::cli) fn state(shell: &Shell<'_>) -> State {
    let library =
        shell.answer(&format!("command -v cargo > /dev/null && rustc --print target-libdir --target {TARGET}"));
    match library {
        Some(library) if Path::new(library.trim()).is_dir() => State::Ready,
        Some(_) if shell.answer("command -v rustup").is_some() => State::TargetMissing,
        _ => State::Missing,
    }
}
