//! How a caller waits for the result of a function, as its component declares it.

use wasmtime::component::Type;
use wasmtime::component::types::ComponentFunc;

/// How a caller waits for the result of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStyle {
    /// An `async func`: many calls may be in flight.
    Async,
    /// A `func` that returns a `future` at once. Whether the future has a value is told apart because wasmtime does.
    Future {
        /// Whether it has.
        has_value: bool,
    },
    /// A `func` that blocks the caller.
    Blocking,
}

impl CallStyle {
    /// The style of `func`.
    pub fn of(func: &ComponentFunc) -> Self {
        match func.results().next() {
            Some(Type::Future(future)) if !func.async_() => Self::Future { has_value: future.ty().is_some() },
            _ if func.async_() => Self::Async,
            _ => Self::Blocking,
        }
    }
}
