//! How much a message may become in the memory of the guest that gets it, known before anything is made of it.

use std::mem::MaybeUninit;
use std::sync::{Arc, OnceLock};

use lp_courier::Message;
use wasmtime::component::__internal::{CanonicalAbiInfo, ComponentTypes, InstanceType, InterfaceType, LowerContext};
use wasmtime::component::{ComponentNamedList, ComponentType, Func, Lower};
use wasmtime::{AsContext, Result, ValRaw, bail};

use super::Payload;
use super::lower::Source;
use super::sizes::Sizes;

/// How much a message may become in the memory of the guest that gets it.
#[derive(Clone)]
pub(crate) struct Room {
    /// The sizes of the types; learnt when the first value is lowered, where they are not known before.
    sizes: Arc<OnceLock<Sizes>>,
    /// `None` where a message has been checked.
    bytes_max: Option<u64>,
}

impl Room {
    /// The room for the results of one function.
    pub(crate) fn of_results() -> Self {
        Self { sizes: Arc::default(), bytes_max: None }
    }

    /// The same, of so many bytes.
    pub(crate) fn bytes(&self, bytes_max: u64) -> Self {
        Self { sizes: self.sizes.clone(), bytes_max: Some(bytes_max) }
    }

    pub(super) fn source<'a>(&'a self, types: &ComponentTypes, ty: InterfaceType, payload: &'a Payload) -> Source<'a> {
        let sizes = self.sizes.get_or_init(|| Sizes::of(types, ty));
        Source { payload, sizes, bytes_max: self.bytes_max }
    }
}

/// The parameters of an exported function, as what tells how much its requests become.
#[derive(Clone)]
pub(crate) struct Params {
    types: Arc<ComponentTypes>,
    ty: InterfaceType,
    sizes: Arc<OnceLock<Sizes>>,
}

impl Params {
    /// Those of `func`. wasmtime shows the types of a function to nothing but the types that are to fit it.
    pub(crate) fn of(func: Func, store: impl AsContext) -> Result<Self> {
        match func.typed::<Shown, ()>(store) {
            Ok(_) => bail!("the types of a function were not shown"),
            Err(error) => error.downcast(),
        }
    }

    /// Whether `request` becomes at most `bytes_max` in the guest's memory.
    pub(crate) fn have_room(&self, request: &Message, bytes_max: u64) -> bool {
        self.sizes().check(&self.types, self.ty, request, bytes_max).is_ok()
    }

    /// The room for a request that was found to have it.
    pub(crate) fn room(&self) -> Room {
        Room { sizes: self.sizes.clone(), bytes_max: None }
    }

    fn sizes(&self) -> &Sizes {
        self.sizes.get_or_init(|| Sizes::of(&self.types, self.ty))
    }
}

impl std::fmt::Display for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the parameters of a function")
    }
}

impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Params")
    }
}

impl std::error::Error for Params {}

/// Parameters that fit no function: the error of the attempt has the types of the function's own ones.
struct Shown;

// SAFETY: it never passes the check of types, so that no value of it is lowered.
unsafe impl ComponentType for Shown {
    type Lower = [ValRaw; 0];
    const ABI: CanonicalAbiInfo = super::abi(0);

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        Err(Params { types: types.types.clone(), ty: *ty, sizes: Arc::default() }.into())
    }
}

// SAFETY: see `ComponentType` above.
unsafe impl ComponentNamedList for Shown {}

// SAFETY: see `ComponentType` above.
unsafe impl Lower for Shown {
    fn linear_lower_to_flat<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        bail!("it is no value")
    }

    fn linear_lower_to_memory<T>(&self, _: &mut LowerContext<'_, T>, _: InterfaceType, _: usize) -> Result<()> {
        bail!("it is no value")
    }
}
