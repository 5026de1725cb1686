//! The image of a program: lp-host, the plan and its components as a tar that `docker`, `podman`, `skopeo` and Kubernetes take.
//!
//! One file is an OCI layout and what `docker save` writes at once, because both name the same blobs. It depends on nothing but
//! what is in it: names are sorted, times are 0, everything belongs to root, and layers are not compressed, so that no version
//! of a compressor is part of their digests. No daemon is asked. Nothing here runs an image.

mod archive;
mod base;
mod blob;
mod config;
mod document;
mod elf;
mod layer;
mod libraries;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use base::{BadBase, Base};
use blob::Blobs;
pub use elf::BadExecutable;
use layer::Layer;
pub use libraries::MissingLibrary;
use lp_base::words::Digest;

/// Where lp-host is in an image.
pub const HOST: &str = "/lp/lp-host";
/// The directory of the program in an image: `plan.json`, and `components` beside it.
pub const PROGRAM: &str = "/lp/program";
/// The user that an image runs as, and its group. Kubernetes refuses names where it has to know that this is not root.
pub const USER: u32 = 65532;

/// What goes into an image.
#[derive(Debug)]
pub struct Content<'a> {
    /// What the image is called, as `NAME:TAG`.
    pub reference: &'a str,
    /// The file of lp-host itself.
    pub host: Vec<u8>,
    /// The files that are mapped into a running lp-host, among which its libraries are.
    pub mapped: &'a [PathBuf],
    /// The plan, as it is written to a file.
    pub plan: Vec<u8>,
    /// The components, by their digests.
    pub components: BTreeMap<Digest, Vec<u8>>,
}

/// An image that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The digest of its manifest, by which a registry has it: `sha256:` and its digits.
    pub digest: String,
    /// How many bytes its layers have together.
    pub bytes: u64,
}

/// Why an image could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// lp-host itself is no executable that can be put into an image.
    #[error("lp-host can't be put into an image")]
    Executable(#[from] BadExecutable),
    /// A library that lp-host needs was not found.
    #[error("a library of lp-host can't be put into the image")]
    Library(#[from] MissingLibrary),
    /// The base image can't be built on.
    #[error(transparent)]
    Base(#[from] BadBase),
    /// It could not be written.
    #[error("the image can't be written")]
    Write(#[from] io::Error),
}

/// Writes the image of `content` on top of `base` to `out`, as a tar.
///
/// # Errors
/// If the executable or a library of it can't be read, if the base is no image for this machine, or if `out` fails.
pub fn write(content: Content<'_>, base: Option<&Base>, out: impl Write) -> Result<Written, ImageError> {
    let mut blobs = Blobs::default();
    let mut layers = base.map(|base| base.layers.clone()).unwrap_or_default();
    let own = [host_layer(&content, base.is_some())?, program_layer(&content)];
    let own_len = own.len();
    for layer in own {
        layers.push(blobs.add_layer(layer.into_tar()?));
    }
    let config = config::config(base.map(|base| &base.config), &layers, own_len);
    let manifest = archive::write(content.reference, config, &layers, base, blobs, out)?;
    Ok(Written { digest: manifest.digest, bytes: layers.iter().map(|layer| layer.descriptor.size).sum() })
}

/// lp-host, and without a base all that it needs to start.
fn host_layer(content: &Content<'_>, has_base: bool) -> Result<Layer, ImageError> {
    let mut layer = Layer::default();
    if !has_base {
        for (path, bytes) in libraries::of(&content.host, content.mapped)? {
            layer.program(&path, bytes);
        }
        for dir in ["/dev", "/proc", "/sys"] {
            layer.dir(Path::new(dir), 0o755);
        }
        layer.file(Path::new("/etc/passwd"), format!("lp:x:{USER}:{USER}:lp:/tmp:/sbin/nologin\n").into_bytes());
        layer.file(Path::new("/etc/group"), format!("lp:x:{USER}:\n").into_bytes());
        layer.file(Path::new("/etc/nsswitch.conf"), b"hosts: files dns\n".to_vec());
    }
    layer.dir(Path::new("/tmp"), 0o1777);
    layer.program(Path::new(HOST), elf::without_debug_information(&content.host)?);
    Ok(layer)
}

fn program_layer(content: &Content<'_>) -> Layer {
    let mut layer = Layer::default();
    let program = Path::new(PROGRAM);
    layer.file(&program.join("plan.json"), content.plan.clone());
    layer.dir(&program.join("components"), 0o755);
    for (digest, bytes) in &content.components {
        layer.file(&program.join("components").join(format!("{digest}.wasm")), bytes.clone());
    }
    layer
}
