//! The two places that a guest takes a value in.

use wasmtime::{Result, ValRaw};

use super::super::scalar::Scalar;
use super::lowering::Lowering;

/// Where a guest wants a value: in core values or at an offset of its memory. Core values are zero beforehand.
pub(super) enum Place<'a> {
    Flat(&'a mut [ValRaw]),
    Memory(usize),
}

impl Place<'_> {
    pub(super) fn put<T>(&mut self, cx: &mut Lowering<'_, '_, T>, scalar: Scalar, bits: u64) -> Result<()> {
        match self {
            Self::Flat(slots) => {
                slots[0] = ValRaw::u64(scalar.flat_bits(bits));
                Ok(())
            }
            Self::Memory(offset) => store(cx, *offset, &bits.to_le_bytes()[..scalar.size()]),
        }
    }

    pub(super) fn put_pointer<T>(&mut self, cx: &mut Lowering<'_, '_, T>, offset: usize, length: usize) -> Result<()> {
        match self {
            Self::Flat(slots) => {
                slots[0] = ValRaw::u64(offset as u64);
                slots[1] = ValRaw::u64(length as u64);
                Ok(())
            }
            Self::Memory(place) => {
                store(cx, *place, &(offset as u32).to_le_bytes())?;
                store(cx, *place + 4, &(length as u32).to_le_bytes())
            }
        }
    }

    pub(super) fn put_discriminant<T>(&mut self, cx: &mut Lowering<'_, '_, T>, case: usize, size: u32) -> Result<()> {
        match self {
            Self::Flat(slots) => {
                slots[0] = ValRaw::u64(case as u64);
                Ok(())
            }
            Self::Memory(offset) => store(cx, *offset, &(case as u64).to_le_bytes()[..size as usize]),
        }
    }

    /// The place of the payload behind a discriminant.
    pub(super) fn payload(self, offset32: u32) -> Self {
        match self {
            Self::Flat(slots) => Self::Flat(&mut slots[1..]),
            Self::Memory(offset) => Self::Memory(offset + offset32 as usize),
        }
    }
}

/// Writes to guest memory, whose bounds hold.
pub(super) fn store<T>(cx: &mut Lowering<'_, '_, T>, offset: usize, bytes: &[u8]) -> Result<()> {
    cx.bytes_mut("value", offset, bytes.len())?.copy_from_slice(bytes);
    Ok(())
}
