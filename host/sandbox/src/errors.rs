//! What a guest of WASI 0.2 learns of an error of the host: the kind of it, in a few words.
//!
//! wasmtime would hand out its own text for debugging. That has what the host knows and the guest need not, such as paths,
//! and with `RUST_BACKTRACE=1`, which many Rust developers have set, the host's stack.

use std::io;

use wasmtime::component::{Linker, Resource};
use wasmtime::{Error, Result, StoreContextMut};
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

use super::state::State;

/// The most bytes of a text.
const TEXT_BYTES_MAX: usize = 200;

/// Adds the function of `wasi:io/error` that has a text.
pub fn add_p2_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut error = linker.instance("wasi:io/error@0.2.12")?;
    error.func_wrap(
        "[method]error.to-debug-string",
        |store: StoreContextMut<'_, State>, (error,): (Resource<Error>,)| Ok((text(store.data().table.get(&error)?),)),
    )
}

fn text(error: &Error) -> String {
    if let Some(code) = error.downcast_ref::<ErrorCode>() {
        return short(wasmtime_wasi_http::Error::from(code.clone()).to_string());
    }
    let kind = error.chain().find_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
    kind.map_or_else(|| "the operation failed".to_owned(), |kind| kind.to_string())
}

fn short(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_learns_the_kind_of_an_error_and_nothing_of_the_host() {
        let missing = io::Error::new(io::ErrorKind::NotFound, "/home/me/data is missing");
        assert_eq!(text(&Error::from(missing).context("reading /home/me/data")), "entity not found");
        assert_eq!(text(&Error::msg("/home/me/data is odd")), "the operation failed");
        assert_eq!(text(&Error::from(ErrorCode::ConnectionTimeout)), "connection timeout");
        let long = Error::from(ErrorCode::InternalError(Some("é".repeat(1000))));
        assert!(text(&long).len() <= TEXT_BYTES_MAX, "{}", text(&long));
    }
}
