//! Links the interfaces that the host itself serves to guests; [`interfaces::ALL`] lists them.

mod files;
mod http;
mod listings;
mod random;
mod sleep;
mod sockets;
mod stopping;
mod streams;
mod yielding;

use lp_base::interfaces::{self, Bundle};
use wasmtime::component::{Component, ComponentType, Lift, Linker};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi_config::WasiConfig;

use super::state::State;
use super::{Kind, errors};

/// Adds functions to a linker.
type Add = fn(&mut Linker<State>) -> Result<()>;

/// Adds every bundle of interfaces that `component`, which is of this kind, imports one of.
///
/// # Errors
/// If wasmtime refuses one of them, which is a mistake of the host.
pub fn add_to_linker(linker: &mut Linker<State>, component: &Component, kind: Kind) -> Result<()> {
    let ty = component.component_type();
    let imports = ty.imports(component.engine()).filter_map(|(name, _)| interfaces::find(name).ok());
    let imported: Vec<_> = imports.map(|(_, version)| version.bundle).collect();
    let fits = |bundle: &Bundle| kind == Kind::Concurrent || !bundle.needs_async();
    for bundle in Bundle::ALL.into_iter().filter(|bundle| imported.contains(bundle)).filter(fits) {
        add_bundle(linker, bundle, component, kind)?;
    }
    Ok(())
}

fn add_bundle(linker: &mut Linker<State>, bundle: Bundle, component: &Component, kind: Kind) -> Result<()> {
    match bundle {
        Bundle::Wasi02 => {
            wasmtime_wasi::p2::add_to_linker_async(linker)?;
            let added = [
                errors::add_p2_to_linker,
                files::p2::add_to_linker,
                random::add_p2_to_linker,
                sockets::add_p2_to_linker,
                streams::add_to_linker,
                sleep::add_p2_to_linker,
            ];
            replace(linker, &added)?;
            replace(linker, &[listings::p2::add_to_linker])
        }
        Bundle::Wasi03 => {
            wasmtime_wasi::p3::add_to_linker(linker)?;
            let added = [
                files::p3::add_to_linker,
                listings::p3::add_to_linker,
                random::add_p3_to_linker,
                sockets::add_p3_to_linker,
                sockets::add_p3_datagrams_to_linker,
                sleep::add_p3_to_linker,
            ];
            replace(linker, &added)
        }
        Bundle::Http02 => {
            wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
            replace(linker, &[http::add_p2_to_linker])
        }
        Bundle::Http03 => {
            wasmtime_wasi_http::p3::add_to_linker(linker)?;
            replace(linker, &[http::add_p3_to_linker])
        }
        Bundle::Config => {
            wasmtime_wasi_config::add_to_linker(linker, |state: &mut State| WasiConfig::from(&state.config))
        }
        Bundle::Logging => add_logging(linker),
        Bundle::Program => {
            add_program(linker)?;
            stopping::add_to_linker(linker, component, kind)
        }
    }
}

/// Adds functions that take the place of some of wasmtime's.
fn replace(linker: &mut Linker<State>, added: &[Add]) -> Result<()> {
    linker.allow_shadowing(true);
    added.iter().try_for_each(|add| add(linker))?;
    linker.allow_shadowing(false);
    Ok(())
}

fn add_program(linker: &mut Linker<State>) -> Result<()> {
    let mut program = linker.instance("lp:node/program@0.1.0")?;
    program.func_wrap("program-name", |store: StoreContextMut<'_, State>, ()| {
        Ok((store.data().spec.program.name.clone(),))
    })?;
    program
        .func_wrap("node-name", |store: StoreContextMut<'_, State>, ()| Ok((store.data().spec.node.name.clone(),)))?;
    program.func_wrap("replica-index", |store: StoreContextMut<'_, State>, ()| Ok((store.data().spec.index,)))?;
    program
        .func_wrap("replica-count", |store: StoreContextMut<'_, State>, ()| Ok((store.data().spec.node.replicas,)))?;
    program.func_wrap("launch-type", |store: StoreContextMut<'_, State>, ()| {
        Ok((store.data().spec.program.launch_type.clone(),))
    })?;
    program.func_wrap("stop", |store: StoreContextMut<'_, State>, ()| {
        store.data().spec.program.stop.request();
        Ok(())
    })?;
    program.func_wrap("stop-requested", |store: StoreContextMut<'_, State>, ()| {
        Ok((store.data().spec.stop_requested(),))
    })?;
    Ok(())
}

/// `wasi:logging/logging.level`; made only by lifting a guest's value.
#[allow(dead_code, reason = "lifting makes the variants")]
#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
}

fn add_logging(linker: &mut Linker<State>) -> Result<()> {
    let mut logging = linker.instance("wasi:logging/logging@0.1.0-draft")?;
    logging.func_wrap_async("log", |store, (level, context, message): (Level, String, String)| {
        let level = match level {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        };
        let space = if context.is_empty() { "" } else { " " };
        let [_, stderr] = store.data().output.clone();
        Box::new(async move { Ok(stderr.log(&format!("{level}{space}{context}: "), &message).await?) })
    })
}
