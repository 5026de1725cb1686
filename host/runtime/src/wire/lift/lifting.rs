//! What lifting one message has at hand: the guest's memory, the types, and the count of bytes that the store's limit
//! bounds.

use std::collections::HashMap;

use wasmtime::component::__internal::wasmtime_environ::component::CanonicalOptions;
use wasmtime::component::__internal::{ComponentTypes, InterfaceType, LiftContext};

use super::super::error::WireError;
use super::super::scalar::Scalar;
use super::super::shape::Fields;

/// A record of fewer bytes is lifted as quickly as it is compared with zero.
const COMPARED_BYTES_MIN: usize = 64;

pub(super) struct Lifting<'a, 'b> {
    cx: &'a mut LiftContext<'b>,
    /// The bytes that were charged so far.
    charged: usize,
    /// Types whose value is not written at all if its memory is zero, as far as they were asked for.
    omitted: HashMap<InterfaceType, bool>,
}

impl<'a, 'b> Lifting<'a, 'b> {
    pub(super) fn new(cx: &'a mut LiftContext<'b>) -> Self {
        Self { cx, charged: 0, omitted: HashMap::new() }
    }

    pub(super) fn types(&self) -> &'b ComponentTypes {
        self.cx.types
    }

    pub(super) fn memory(&self) -> &'b [u8] {
        self.cx.memory()
    }

    pub(super) fn options(&self) -> &CanonicalOptions {
        self.cx.options()
    }

    /// Charges for the content of a list or string.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), WireError> {
        self.cx.consume_fuel(bytes).map_err(|_| WireError::TooLarge)?;
        self.charged += bytes;
        Ok(())
    }

    /// Charges for the message so far, as far as it is larger than its values in memory.
    pub(super) fn charge_encoded(&mut self, encoded: usize) -> Result<(), WireError> {
        match encoded.checked_sub(self.charged) {
            None | Some(0) => Ok(()),
            Some(more) => self.charge(more),
        }
    }

    /// Whether `bytes`, a value of the record or tuple `ty`, is one of which nothing is written: without this, values of
    /// a type with thousands of fields would cost that much for each element of a list, however little they say.
    pub(super) fn is_omitted(&mut self, ty: InterfaceType, bytes: &[u8]) -> bool {
        let is_zero = |chunk: &[u8]| chunk.iter().fold(0, |all, byte| all | byte) == 0;
        bytes.len() >= COMPARED_BYTES_MIN && bytes.chunks(COMPARED_BYTES_MIN).all(is_zero) && self.omits_zero(ty)
    }

    fn omits_zero(&mut self, ty: InterfaceType) -> bool {
        if let Some(known) = self.omitted.get(&ty) {
            return *known;
        }
        let omits = match ty {
            // A case is always written, and the first one is zero.
            InterfaceType::Variant(_) | InterfaceType::Result(_) => false,
            InterfaceType::Option(_) | InterfaceType::List(_) | InterfaceType::String => true,
            _ => match Fields::of(self.types(), ty) {
                Some(fields) => fields.iter().all(|field| self.omits_zero(field)),
                None => Scalar::of(self.types(), ty).is_some(),
            },
        };
        self.omitted.insert(ty, omits);
        omits
    }
}
