//! C bindings of a world, and components of the core modules that compilers make.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lp_wit::wit_parser::{Resolve, WorldId};
use lp_wit::{Folder, NODE_WORLD, Style};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasm_metadata::AddMetadata;
use wit_bindgen_core::Files;
use wit_component::ComponentEncoder;

/// Why bindings or a component could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The world has something that the language can't say.
    #[error("failed to write bindings: {0}")]
    Bindings(String),
    /// The `go.mod` of a node in Go, which is missing or names its module otherwise.
    #[error("a node in Go is a module of the name `node`, which `{}` has to say: `module node`", .0.display())]
    GoModule(PathBuf),
    /// A world of a node in Go has what only `async` could wait for.
    #[error("a node in Go can't have the types `future` and `stream`, which its world names")]
    GoAsync,
    /// A node that waits for many calls has an entry point that can't.
    #[error("a node in the style `async` can't wait in `{0}`: export `wasi:cli/run@0.3.0` instead")]
    EntryPoint(String),
    /// The core module does not fit its world, or the types of the world do not fit into it.
    #[error("failed to make a component: {0}")]
    Component(String),
    /// A file of the build can't be read or written.
    #[error("failed to write what was built: {0}")]
    Write(#[from] std::io::Error),
}

/// Writes `lp_node.h`, `lp_node.c` and the object file that carries the types of the world into `dir`.
pub(crate) fn write_c_bindings(wit: &mut Folder, style: Style, dir: &Path) -> Result<(), EncodeError> {
    let world = wit.resolve.packages[wit.package].worlds[NODE_WORLD];
    let mut options = wit_bindgen_c::Opts::default();
    match entry_point(&wit.resolve, world) {
        Some(name) if name.contains("@0.2.") && style == Style::Async => return Err(EncodeError::EntryPoint(name)),
        // Else a run that waits would have to be cut into one function for each time that it does.
        Some(name) if name.contains("@0.3.") => options.async_.push(&format!("-export:{name}#run")),
        _ => {}
    }
    let mut files = Files::default();
    let generated = options.build().generate(&mut wit.resolve, world, &mut files);
    generated.map_err(|error| EncodeError::Bindings(format!("{error:#}")))?;
    for (name, contents) in files.iter() {
        fs::write(dir.join(name), contents)?;
    }
    let header = fs::read_to_string(dir.join("lp_node.h"))?;
    fs::OpenOptions::new().append(true).open(dir.join("lp_node.c"))?.write_all(callbacks(&header).as_bytes())?;
    Ok(())
}

/// The interface of a node's `run`, if it exports one.
fn entry_point(resolve: &Resolve, world: WorldId) -> Option<String> {
    let mut exports = resolve.worlds[world].exports.keys().map(|key| resolve.name_world_key(key));
    exports.find(|name| name.starts_with("wasi:cli/run@"))
}

/// A callback for each function in the header that has one, which a node may define otherwise.
fn callbacks(header: &str) -> String {
    let declared = header.lines().filter(|line| line.ends_with("_callback(lp_node_event_t *event);"));
    let defined = declared.map(|line| {
        format!("__attribute__((__weak__)) {} {{ return lp_resume(event); }}\n", line.trim_end_matches(';'))
    });
    let defined: String = defined.collect();
    match defined.is_empty() {
        true => defined,
        false => format!("\nlp_node_callback_code_t lp_resume(const lp_node_event_t *event);\n{defined}"),
    }
}

/// Makes a component of the core module at `core`, whose WASI is that of preview 1, and has it say its language.
pub(crate) fn write_component(core: &Path, language: &str, component: &Path) -> Result<(), EncodeError> {
    let module = fs::read(core)?;
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|encoder| {
            encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        })
        .and_then(|mut encoder| encoder.encode());
    let mut metadata = AddMetadata::default();
    metadata.language = vec![(language.to_owned(), String::new())];
    let encoded = encoded.and_then(|encoded| metadata.to_wasm(&encoded));
    let encoded = encoded.map_err(|error| EncodeError::Component(format!("{error:#}")))?;
    fs::write(component, encoded)?;
    Ok(())
}
