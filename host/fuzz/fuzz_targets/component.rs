//! Any bytes as a component file: it is refused, or what is read of it can be shown.
//!
//! `cargo +nightly fuzz run component` in `host/`.

#![no_main]

use std::path::Path;

use lp_host::component::{Component, ImportKind, handles_mismatch, mismatch};
use lp_host::proto;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let component = match Component::parse(Path::new("fuzzed.wasm"), data) {
        Ok(component) => component,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    // The two ends of a call are compared with each other, whichever components they come from.
    for import in &component.imports {
        for courier in &component.couriers {
            match &import.kind {
                ImportKind::Courier(interface) => drop(mismatch(interface, courier)),
                ImportKind::Handles { interface, .. } => drop(handles_mismatch(interface, courier)),
                _ => {}
            }
        }
    }
    if let Ok(schema) = proto::schema(&component.couriers) {
        schema.file.iter().for_each(|file| drop(proto::print(file)));
    }
});
