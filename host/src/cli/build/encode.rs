//! C bindings of a world, and components of the core modules that C compilers make with them.

use std::fs;
use std::path::Path;

use lp_wit::{Folder, NODE_WORLD};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::Files;
use wit_component::ComponentEncoder;

/// Why bindings or a component could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodeError {
    #[error("failed to write C bindings: {0}")]
    Bindings(String),
    #[error("failed to make a component: {0}")]
    Component(String),
    #[error("failed to write what was built: {0}")]
    Write(#[from] std::io::Error),
}

/// Writes `lp_node.h`, `lp_node.c` and the object file that carries the types of the world into `dir`.
pub(super) fn write_c_bindings(wit: &mut Folder, dir: &Path) -> Result<(), EncodeError> {
    let world = wit.resolve.packages[wit.package].worlds[NODE_WORLD];
    let mut files = Files::default();
    let generated = wit_bindgen_c::Opts::default().build().generate(&mut wit.resolve, world, &mut files);
    generated.map_err(|error| EncodeError::Bindings(format!("{error:#}")))?;
    for (name, contents) in files.iter() {
        fs::write(dir.join(name), contents)?;
    }
    Ok(())
}

/// Makes a component of the core module at `core`, whose WASI is that of preview 1.
pub(super) fn write_component(core: &Path, component: &Path) -> Result<(), EncodeError> {
    let module = fs::read(core)?;
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|encoder| {
            encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        })
        .and_then(|mut encoder| encoder.encode());
    fs::write(component, encoded.map_err(|error| EncodeError::Component(format!("{error:#}")))?)?;
    Ok(())
}
