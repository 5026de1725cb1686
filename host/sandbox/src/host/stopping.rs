//! `wait-for-stop` of `lp:node/program`, in whichever style the guest declares it.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, FutureReader, Linker};
use wasmtime::{Result, StoreContextMut};

use crate::{CallStyle, Kind, State};

const INTERFACE: &str = "lp:node/program@0.1.0";
const FUNCTION: &str = "wait-for-stop";

/// Adds the function as the component declares it: as an `async func` if it does not.
pub(super) fn add_to_linker(linker: &mut Linker<State>, component: &Component, kind: Kind) -> Result<()> {
    let style = declared(component).unwrap_or(match kind {
        Kind::Concurrent => CallStyle::Async,
        Kind::Plain => CallStyle::Blocking,
    });
    let mut program = linker.instance(INTERFACE)?;
    match style {
        CallStyle::Async => program.func_wrap_concurrent(FUNCTION, |accessor, (): ()| {
            let spec = accessor.with(|mut access| access.get().spec.clone());
            Box::pin(async move {
                spec.stopping().await;
                Ok(())
            })
        }),
        CallStyle::Blocking => program.func_wrap_async(FUNCTION, |store: StoreContextMut<'_, State>, (): ()| {
            let spec = store.data().spec.clone();
            Box::new(async move {
                spec.stopping().await;
                Ok(())
            })
        }),
        // QuickJS's bindings trap at a future of nothing.
        CallStyle::Future { has_value: true } => {
            program.func_wrap(FUNCTION, |store: StoreContextMut<'_, State>, (): ()| {
                let spec = store.data().spec.clone();
                let stopping = async move {
                    spec.stopping().await;
                    wasmtime::error::Ok(true)
                };
                Ok((FutureReader::new(store, stopping)?,))
            })
        }
        CallStyle::Future { has_value: false } => {
            program.func_wrap(FUNCTION, |store: StoreContextMut<'_, State>, (): ()| {
                let spec = store.data().spec.clone();
                let stopping = async move {
                    spec.stopping().await;
                    wasmtime::error::Ok(())
                };
                Ok((FutureReader::new(store, stopping)?,))
            })
        }
    }
}

fn declared(component: &Component) -> Option<CallStyle> {
    let engine = component.engine();
    let ComponentItem::ComponentInstance(program) = component.component_type().get_import(engine, INTERFACE)?.ty else {
        return None;
    };
    match program.get_export(engine, FUNCTION)?.ty {
        ComponentItem::ComponentFunc(func) => Some(CallStyle::of(&func)),
        _ => None,
    }
}
