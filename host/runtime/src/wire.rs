//! Values between a guest's memory and protobuf bytes, driven by their type, without an intermediate tree.
//!
//! [`Wire`] stands where wasmtime expects the Rust type of a function's parameters or result. It implements the traits
//! that wasmtime's own derive macros implement (`ComponentType`, `Lift`, `Lower`: public, hidden from the docs) by
//! walking the interface type at run time: lifting reads guest memory straight into a [`Message`], lowering writes a
//! message straight into guest memory, and a list of numbers is one copy either way. `docs/encoding.md` is the mapping.
//!
//! Every pointer, length, discriminant, char and string that a guest gives is checked before it is used; a bad one is
//! an error, which traps that guest. What a guest can make the host copy is bounded by the store's hostcall fuel.
//!
//! This module is the only one with `unsafe` trait implementations, and the reason why wasmtime's version is pinned.

#![allow(unsafe_code, reason = "wasmtime's traits for types in guest memory are unsafe to implement")]

mod error;
mod lift;
mod lower;
mod room;
mod scalar;
mod shape;
mod sizes;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the fuzz target needs only a part of the tests' guests and reference")
)]
mod tests;

use std::mem::MaybeUninit;

use error::WireError;
use lift::Part;
use lp_courier::{CallError, Message};
pub(crate) use room::{Params, Room};
#[cfg(feature = "fuzzing")]
pub use tests::check_decoding;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower, Resource};
use wasmtime::{Result, ValRaw, bail};

/// The most core values a function's parameters, or an async function's result, are passed in; more go by a pointer.
pub(crate) const FLAT_MAX: usize = 16;

/// The parameters or the result of a function, as a protobuf message.
///
/// `N` is the number of core values that carry it: the flat count of its type, or 1 for a pointer where the type has
/// more values than the calling convention passes flat.
pub(crate) struct Wire<const N: usize> {
    payload: Payload,
    room: Room,
}

/// What a [`Wire`] carries.
pub(crate) enum Payload {
    /// The request or the response of the function whose type lowers it.
    Message(Message),
    /// The response of a call, to be lowered as the `ok` of the caller's `result<T, call-error>`.
    Ok(Message),
    /// A call that failed, to be lowered as the `err` of the caller's result.
    Failed(CallError),
}

impl<const N: usize> Wire<N> {
    /// A value for a guest that has `room` for it.
    pub(crate) fn new(payload: Payload, room: Room) -> Self {
        Self { payload, room }
    }

    /// What a guest gave; a message that is larger than its limit is a failed call.
    fn lifted(message: Result<Message>) -> Result<Self> {
        let payload = match limited(message)? {
            Ok(message) => Payload::Message(message),
            Err(error) => Payload::Failed(error),
        };
        Ok(Self { payload, room: Room::of_results() })
    }

    /// The bytes that a guest gave, unless they were too many.
    pub(crate) fn into_message(self) -> Result<Message, CallError> {
        match self.payload {
            Payload::Message(message) | Payload::Ok(message) => Ok(message),
            Payload::Failed(error) => Err(error),
        }
    }
}

/// Tells a message that is larger than its limit, which fails its call alone, from a value that is none.
fn limited(message: Result<Message>) -> Result<Result<Message, CallError>> {
    match message {
        Ok(message) => Ok(Ok(message)),
        Err(error) if matches!(error.downcast_ref(), Some(WireError::TooLarge)) => Ok(Err(CallError::TooLarge)),
        Err(error) => Err(error),
    }
}

/// The layout that wasmtime sees. The size is 0 because the real one depends on the interface type: wasmtime then
/// hands lifting an empty slice at the value's address, and leaves allocation and bounds to this module.
const fn abi(flat: usize) -> CanonicalAbiInfo {
    CanonicalAbiInfo { size32: 0, align32: 1, size64: 0, align64: 1, flat_count: Some(flat as u8) }
}

// SAFETY: `Lower` is an array of `ValRaw`. `Lift` and `Lower` below read and write exactly the core values that the
// interface type has, and check every access of guest memory themselves.
unsafe impl<const N: usize> ComponentType for Wire<N> {
    type Lower = [ValRaw; N];
    const ABI: CanonicalAbiInfo = abi(N);

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        // Any type fits: lifting and lowering are driven by it. Types that couriers refuse fail there.
        Ok(())
    }
}

// SAFETY: parameters and results are tuples, which `Wire` walks by the tuple type given to it.
unsafe impl<const N: usize> ComponentNamedList for Wire<N> {}

// SAFETY: see `ComponentType` above.
unsafe impl<const N: usize> Lift for Wire<N> {
    fn linear_lift_from_flat(cx: &mut LiftContext<'_>, ty: InterfaceType, src: &Self::Lower) -> Result<Self> {
        Self::lifted(lift::message_from_flat(cx, ty, src, Part::Whole))
    }

    fn linear_lift_from_memory(cx: &mut LiftContext<'_>, ty: InterfaceType, bytes: &[u8]) -> Result<Self> {
        let offset = offset_in(cx.memory(), bytes);
        Self::lifted(lift::message_from_memory(cx, ty, offset, Part::Whole))
    }
}

// SAFETY: see `ComponentType` above.
unsafe impl<const N: usize> Lower for Wire<N> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        // The array is filled whole: the trampoline may read every slot of it.
        let slots = dst.write([ValRaw::u64(0); N]);
        lower::to_flat(cx, ty, &self.room.source(cx.types, ty, &self.payload), slots)
    }

    fn linear_lower_to_memory<T>(&self, cx: &mut LowerContext<'_, T>, ty: InterfaceType, offset: usize) -> Result<()> {
        lower::to_memory(cx, ty, &self.room.source(cx.types, ty, &self.payload), offset)
    }
}

/// What a `future` gives: the result of a function, which is no tuple of one as it is where a function returns it.
pub(crate) struct Reply {
    pub(crate) payload: Payload,
    pub(crate) room: Room,
}

// SAFETY: as for `Wire`. wasmtime only ever writes the value of a future to memory.
unsafe impl ComponentType for Reply {
    type Lower = [ValRaw; 0];
    const ABI: CanonicalAbiInfo = abi(0);

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        Ok(())
    }
}

// SAFETY: see `ComponentType` above. The address is the guest's own, and every write is checked.
unsafe impl Lower for Reply {
    fn linear_lower_to_flat<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        bail!("the value of a future is never passed flat")
    }

    fn linear_lower_to_memory<T>(&self, cx: &mut LowerContext<'_, T>, ty: InterfaceType, offset: usize) -> Result<()> {
        lower::reply_to_memory(cx, ty, &self.room.source(cx.types, ty, &self.payload), offset)
    }
}

// SAFETY: nothing is lifted. wasmtime asks for the trait because a host may read the futures that it made.
unsafe impl Lift for Reply {
    fn linear_lift_from_flat(_: &mut LiftContext<'_>, _: InterfaceType, _: &Self::Lower) -> Result<Self> {
        bail!("the host reads no futures of guests")
    }

    fn linear_lift_from_memory(_: &mut LiftContext<'_>, _: InterfaceType, _: &[u8]) -> Result<Self> {
        bail!("the host reads no futures of guests")
    }
}

/// The arguments of an imported function: a handle first, where it is a method of a handle resource, then the
/// parameters of the courier's method.
pub(crate) struct Args<const N: usize, H: 'static> {
    pub(crate) handle: Option<Resource<H>>,
    /// An error where it is larger than its limit.
    pub(crate) request: Result<Message, CallError>,
}

// SAFETY: as for `Wire`.
unsafe impl<const N: usize, H: 'static> ComponentType for Args<N, H> {
    type Lower = [ValRaw; N];
    const ABI: CanonicalAbiInfo = abi(N);

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        match shape::handle(types.types, *ty) {
            Some(handle) => Resource::<H>::typecheck(&handle, types),
            None => Ok(()),
        }
    }
}

// SAFETY: as for `Wire`.
unsafe impl<const N: usize, H: 'static> ComponentNamedList for Args<N, H> {}

// SAFETY: as for `Wire`.
unsafe impl<const N: usize, H: 'static> Lift for Args<N, H> {
    fn linear_lift_from_flat(cx: &mut LiftContext<'_>, ty: InterfaceType, src: &Self::Lower) -> Result<Self> {
        let handle = shape::handle(cx.types, ty);
        let request = limited(lift::message_from_flat(cx, ty, src, args(handle)))?;
        let handle = handle.map(|handle| Resource::linear_lift_from_flat(cx, handle, &src[0])).transpose()?;
        Ok(Self { handle, request })
    }

    fn linear_lift_from_memory(cx: &mut LiftContext<'_>, ty: InterfaceType, bytes: &[u8]) -> Result<Self> {
        let offset = offset_in(cx.memory(), bytes);
        let handle = shape::handle(cx.types, ty);
        let request = limited(lift::message_from_memory(cx, ty, offset, args(handle)))?;
        let index = lift::bytes_at(cx.memory(), offset, 4)?;
        let handle = handle.map(|handle| Resource::linear_lift_from_memory(cx, handle, index)).transpose()?;
        Ok(Self { handle, request })
    }
}

/// The part of an imported function's arguments that goes into the request.
fn args(handle: Option<InterfaceType>) -> Part {
    Part::Args { handles: usize::from(handle.is_some()) }
}

/// Where in guest memory wasmtime placed a value, from the empty slice that it hands over.
fn offset_in(memory: &[u8], bytes: &[u8]) -> usize {
    bytes.as_ptr() as usize - memory.as_ptr() as usize
}
