//! Write the nodes of an lp-host program in Rust: bindings from WIT, and little else.
//!
#![doc = include_str!("../README.md")]

// The macro names this crate by its own name, here too.
extern crate self as lp_guest;

pub mod config;
pub mod courier;
mod outcome;
#[cfg(feature = "replay")]
pub mod replay;

mod bindings {
    //! What the host offers to every node, as generated code.

    lp_guest::node!({ world: "guest" });
}

#[doc(hidden)]
pub use bindings::__link_custom_section_describing_imports;
pub use bindings::lp::node::program;
pub use courier::CallError;
pub use futures_util::future::join_all;
/// Makes a node of a WIT world: generates its bindings and exports the type that implements them.
///
/// ```ignore
/// lp_guest::node!({ world: "consumer-node", path: "../../wit", node: Consumer });
/// ```
///
/// * `node`: the type that implements the world's exports. Left out if the world exports nothing, as in a `fn main`.
/// * `world`: the world; may be left out if the package has one.
/// * `path`: the WIT folder, relative to the crate's Cargo.toml; `"wit"` if left out. The packages `lp:node`,
///   `lp:courier` and the entry points, configuration and logging of WASI need not be in it, nor the `x-handles` of an
///   interface `x`.
/// * `handles`: `"async"`, `"future"` for derived handles whose methods return a future, or `"sync"` for such that block.
/// * `additional_derives`, `async`, `generate_unused_types`, `ownership`, `with`: as for
///   `wit_bindgen::generate!`.
///
/// The trait of the exported interface comes into scope as `Guest`; if the world exports several interfaces, each as its
/// own name and `Guest`, such as `RunGuest` for `wasi:cli/run`. Everything else is where `wit_bindgen::generate!` puts it:
/// the imported interface `example:counting/producer-handles` is the module `example::counting::producer_handles`.
pub use lp_guest_macros::node;
/// Makes the functions of an `impl` the tests of a node whose world exports `lp:test/tests`, each run by itself.
///
/// ```ignore
/// lp_guest::node!({ world: "driver-node", path: "../../wit", node: Driver });
///
/// struct Driver;
///
/// #[lp_guest::tests]
/// impl Driver {
///     async fn counts_twice() -> Result<(), CallError> {
///         assert_eq!(counter::add(1).await? + counter::add(1).await?, 3);
///         Ok(())
///     }
/// }
/// ```
///
/// A test is a function without arguments, `async` or not. It fails by a panic, or by an error of any type that can be
/// shown. `lp-host test` calls it `counts-twice`. The `impl` belongs in the module in which `node!` is.
pub use lp_guest_macros::tests;
pub use outcome::TestResult;
#[doc(hidden)]
pub use wit_bindgen;

/// Gives what an exported `run` returns, after printing an error to stderr.
///
/// ```ignore
/// async fn run() -> Result<(), ()> {
///     lp_guest::report(steps().await) // `steps` returns a `Result` whose error is a `CallError`, or any other
/// }
/// ```
///
/// # Errors
/// Exactly when `result` is an error: the node has then failed.
#[expect(clippy::result_unit_err, reason = "WIT's `run` returns a bare `result`")]
pub fn report<E: std::fmt::Display>(result: Result<(), E>) -> Result<(), ()> {
    result.map_err(|error| eprintln!("error: {error}"))
}
