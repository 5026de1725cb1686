//! What lowering one message has at hand: the guest's memory and its allocator, the types, and their sizes.

use wasmtime::Result;
use wasmtime::component::__internal::wasmtime_environ::component::CanonicalOptions;
use wasmtime::component::__internal::{ComponentTypes, LowerContext};

use super::super::error::WireError;
use super::super::sizes::Sizes;

pub(super) struct Lowering<'a, 'b, T: 'static> {
    pub(super) cx: &'a mut LowerContext<'b, T>,
    pub(super) sizes: &'a Sizes,
}

impl<'b, T> Lowering<'_, 'b, T> {
    pub(super) fn types(&self) -> &'b ComponentTypes {
        self.cx.types
    }

    pub(super) fn options(&self) -> &CanonicalOptions {
        self.cx.options()
    }

    pub(super) fn memory(&mut self) -> &mut [u8] {
        self.cx.as_slice_mut()
    }

    /// Guest memory for `length` bytes. The guest is asked even for none: the canonical ABI says so, and Python's runtime
    /// frees whatever address an empty list has.
    pub(super) fn allocate(&mut self, align: u32, length: usize) -> Result<usize> {
        self.cx.realloc(0, 0, align, length)
    }

    /// The `length` bytes at `offset` of the guest's memory.
    pub(super) fn bytes_mut(
        &mut self,
        what: &'static str,
        offset: usize,
        length: usize,
    ) -> Result<&mut [u8], WireError> {
        let memory = self.memory();
        let available = memory.len();
        let target = memory.get_mut(offset..).and_then(|tail| tail.get_mut(..length));
        target.ok_or(WireError::OutOfBounds { what, offset, length, memory: available })
    }
}
