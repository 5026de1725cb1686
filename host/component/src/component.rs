//! Reads what a component file imports and exports; it never runs or compiles one.

mod compat;
mod description;
mod handles;
mod instance;
mod language;
mod replay;
mod scan;
mod shape;
mod text;
mod types;
mod wit;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use compat::{Mismatch, handles_mismatch, mismatch};
pub use description::{DescriptionError, describe, described};
use lp_base::interfaces;
pub use lp_base::interfaces::{HostInterface, Unserved, serves};
pub use lp_base::words::{Digest, NotADigest, RunExport};
pub use replay::replay;
use scan::Scan;
use shape::Shapes;
pub use types::{Case, Field, MethodTypes, Type, TypeKind, TypeName};

/// The largest component file that is read. The largest that toolchains produce today, Python's, have about 21 MiB;
/// the limit keeps a wrong path (a disk image, a log) from filling the memory.
pub const COMPONENT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The imports and exports of one component file.
#[derive(Debug, Clone)]
pub struct Component {
    /// The file that was read, as it was given.
    pub path: PathBuf,
    /// The size of the file.
    pub bytes_len: u64,
    /// The digest of the file.
    pub sha256: Digest,
    /// The language that the component was written in and the tool that says so, such as `Rust (rustc 1.95.0)`, if its
    /// producers section records one.
    pub language: Option<String>,
    /// Whether the component needs an engine with the component model's async feature: for its own types or code, or for
    /// an interface of the host that only such an engine can link.
    pub uses_async: bool,
    /// The largest memory that any of its modules starts with, in bytes.
    pub memory_bytes: u64,
    /// The largest table that any of its modules starts with, in elements.
    pub table_elements: u64,
    /// The entry point, if the component exports `wasi:cli/run`.
    pub run: Option<RunExport>,
    /// The exported interfaces that other nodes can call, in the order of the file.
    pub couriers: Vec<Interface>,
    /// Everything that the component imports, in the order of the file.
    pub imports: Vec<Import>,
    /// The names of all exports, also of those that nothing here makes use of, in the order of the file.
    pub exports: Vec<String>,
}

/// One import of a component.
#[derive(Debug, Clone)]
pub struct Import {
    /// The name in the component, such as `example:counting/counter@1.0.0`, or a plain name such as `producers`.
    pub name: String,
    /// What the import asks the host for.
    pub kind: ImportKind,
}

/// What an import asks the host for.
#[derive(Debug, Clone)]
pub enum ImportKind {
    /// An interface that the host serves.
    Host(&'static HostInterface),
    /// An interface of a `wasi:` or `lp:` package that the host does not serve, and no node can.
    Unserved(Unserved),
    /// An interface, or a type of the world, that only names types: there is nothing to call.
    Types,
    /// An interface of another node, called through a handle of one node. Shared, because each node of the component is
    /// bound by it.
    Courier(Arc<Interface>),
    /// The interface that is derived from a courier interface for handles of many nodes.
    Handles {
        /// The full name of the courier interface that this one is derived from.
        base: String,
        /// The methods of the resource, without its own name and without the `self` parameter.
        interface: Arc<Interface>,
    },
    /// Something that the host can't give, with the reason, such as `is a function of the world`.
    Unsupported(String),
}

/// A WIT interface as one component sees it: of an import only the part that the component uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The full name with its version, such as `example:counting/counter@1.0.0`, or a plain name.
    pub name: String,
    /// The functions, in the order of the file.
    pub methods: Vec<Method>,
    /// The interface printed as WIT.
    pub wit: String,
}

/// A function of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// The name, such as `add`.
    pub name: String,
    /// Whether it is declared as `async func`.
    pub is_async: bool,
    /// The type with every named type written out, such as `func(n: u64) -> list<record { a: u32 }>`. Two methods have
    /// the same type exactly if these texts are equal. How a caller waits is not part of it: neither `async`, nor the
    /// `future` of the result that an import may return instead.
    pub signature: String,
    /// The types of the parameters, without the `self` of a handle's method, and of the result; `None` if one of them
    /// is nothing that a call can carry.
    pub types: Option<MethodTypes>,
    /// Why a call can't carry this method, such as "it passes a `stream`".
    pub refused: Option<String>,
    shape: shape::Signature,
}

impl Interface {
    /// The method of that name.
    pub fn method(&self, name: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.name == name)
    }
}

/// Why a file could not be read as a component. The texts complete "`x.wasm` …".
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing is at the path.
    #[error("does not exist")]
    Missing,
    /// The operating system refused.
    #[error("could not be read: {0}")]
    Io(#[source] io::Error),
    /// The path names a directory or a device.
    #[error("is not a file")]
    NotAFile,
    /// The file is larger than [`COMPONENT_BYTES_MAX`].
    #[error("has {len} bytes, more than the {COMPONENT_BYTES_MAX} that a component may have")]
    TooLarge {
        /// The size of the file.
        len: u64,
    },
    /// The file does not start like a WebAssembly file.
    #[error("is not a WebAssembly file")]
    NotWasm,
    /// The file is a core module.
    #[error("is a core module, not a component; build it for `wasm32-wasip2`, or run `wasm-tools component new` on it")]
    CoreModule,
    /// The file is a WIT package in binary form.
    #[error("is a WIT package, which has interfaces and no code; build a component that exports them")]
    WitPackage,
    /// The file is not valid WebAssembly.
    #[error("is not a valid component: {0}")]
    Invalid(#[source] wasmparser::BinaryReaderError),
}

impl Component {
    /// Reads the imports and exports of the component at `path`.
    ///
    /// Function bodies are skipped, so this takes milliseconds for a file of 20 MiB; they are validated when the
    /// runtime compiles the component. A hostile file gives an error, never a panic.
    pub fn read(path: &Path) -> Result<Component, ReadError> {
        Component::parse(path, &Component::read_bytes(path)?)
    }

    /// The bytes of the file at `path`, if they are no more than a component may have.
    ///
    /// # Errors
    /// If they are more, or can't be had.
    pub fn read_bytes(path: &Path) -> Result<Vec<u8>, ReadError> {
        read_bytes(path)
    }

    /// Reads the imports and exports of a component from the bytes of the file at `path`, which is only noted.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Component, ReadError> {
        let scan = Scan::of(bytes)?;
        let shapes = Shapes::new(&scan);
        Ok(Component {
            path: path.to_path_buf(),
            bytes_len: bytes.len() as u64,
            sha256: Digest::of(bytes),
            language: scan.language.clone(),
            uses_async: scan.uses_async || scan.imports.iter().any(|name| is_linked_with_async(name)),
            memory_bytes: scan.memory_bytes,
            table_elements: scan.table_elements,
            run: RunExport::among(scan.exports.iter().map(String::as_str)),
            couriers: scan.exports.iter().filter_map(|name| shapes.courier(name)).collect(),
            imports: scan
                .imports
                .iter()
                .map(|name| Import { name: name.clone(), kind: shapes.import_kind(name) })
                .collect(),
            exports: scan.exports.clone(),
        })
    }
}

impl Component {
    /// The interface that lists and runs the tests that the component has, if it has any.
    pub fn tests(&self) -> Option<&Interface> {
        self.couriers.iter().find(|courier| serves(&courier.name, interfaces::TESTS))
    }
}

/// Whether the host serves the import, and only to components on an engine with async.
fn is_linked_with_async(import: &str) -> bool {
    interfaces::find(import).is_ok_and(|(_, version)| version.bundle.needs_async())
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, ReadError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Io(error),
    };
    // Before it is opened, which for a pipe would wait for somebody to write to it.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(ReadError::NotAFile);
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(ReadError::Io)?;
    if metadata.len() > COMPONENT_BYTES_MAX {
        return Err(ReadError::TooLarge { len: metadata.len() });
    }
    // The limit again, because the file may grow while it is read.
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    file.take(COMPONENT_BYTES_MAX).read_to_end(&mut bytes).map_err(ReadError::Io)?;
    Ok(bytes)
}
