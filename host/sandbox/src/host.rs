//! The interfaces that the host itself serves to guests: WASI, `wasi:config`, `wasi:logging` and `lp:node/program`.

mod stopping;

use wasmtime::component::{Component, ComponentType, Lift, Linker};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi_config::WasiConfig;

use super::state::State;
use super::{Kind, files, http, sockets};

/// Adds everything that `component`, which is of this kind, may import from the host.
pub fn add_to_linker(linker: &mut Linker<State>, component: &Component, kind: Kind) -> Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    if kind == Kind::Concurrent {
        wasmtime_wasi::p3::add_to_linker(linker)?;
    }
    // What follows takes the place of single functions of these.
    linker.allow_shadowing(true);
    files::add_to_linker(linker, kind)?;
    sockets::add_to_linker(linker, kind)?;
    linker.allow_shadowing(false);
    // Few have use for it, and it is by far the largest.
    let engine = component.engine();
    if component.component_type().imports(engine).any(|(name, _)| name.starts_with("wasi:http/")) {
        http::add_to_linker(linker, kind)?;
    }
    wasmtime_wasi_config::add_to_linker(linker, |state: &mut State| WasiConfig::from(&state.config))?;
    add_logging(linker)?;
    add_program(linker)?;
    stopping::add_to_linker(linker, component, kind)
}

/// Whether the host itself serves an import of this name, to guests with `async` or to those without.
pub fn serves(import: &str) -> bool {
    let Some((interface, version)) = import.split_once('@') else { return false };
    let Ok(version) = semver::Version::parse(version) else { return false };
    let package = interface.split_once('/').map_or(interface, |(package, _)| package);
    match package {
        "wasi:cli" | "wasi:clocks" | "wasi:filesystem" | "wasi:random" | "wasi:sockets" => {
            version.pre.is_empty() && version.major == 0 && matches!(version.minor, 2 | 3)
        }
        "wasi:io" => version.pre.is_empty() && version.major == 0 && version.minor == 2,
        "wasi:http" => {
            version.pre.is_empty()
                && version.major == 0
                && matches!(
                    (interface, version.minor),
                    ("wasi:http/types", 2 | 3) | ("wasi:http/outgoing-handler", 2) | ("wasi:http/client", 3)
                )
        }
        "wasi:config" => import == "wasi:config/store@0.2.0-rc.1",
        "wasi:logging" => import == "wasi:logging/logging@0.1.0-draft",
        "lp:node" => import == "lp:node/program@0.1.0",
        // It has nothing but types, which need nobody to serve them.
        "lp:courier" => import == "lp:courier/types@0.1.0",
        _ => false,
    }
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
