//! The file of an image: an OCI layout and an archive of `docker save` at once, which share their blobs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::json;
use tar::{Builder, EntryType};

use super::base::Base;
use super::blob::{Blobs, LayerBlob};
use super::document::{CONFIG, Descriptor, INDEX, Index, MANIFEST, Manifest, Platform, Saved};
use super::layer::append;

/// Writes the image, and says what its manifest is.
pub(super) fn write(
    reference: &str,
    config: Vec<u8>,
    layers: &[LayerBlob],
    base: Option<&Base>,
    mut blobs: Blobs,
    out: impl Write,
) -> io::Result<Descriptor> {
    let config = blobs.add(CONFIG, config);
    let of_layers: Vec<_> = layers.iter().map(|layer| layer.descriptor.clone()).collect();
    let saved = Saved {
        config: path(&config),
        repo_tags: Some(vec![reference.to_owned()]),
        layers: of_layers.iter().map(path).collect(),
    };
    let manifest = Manifest { schema_version: 2, media_type: MANIFEST.to_owned(), config, layers: of_layers };
    let manifest = blobs.add(MANIFEST, text(&manifest)?);
    let mut listed = Descriptor { platform: Some(Platform::own()), ..manifest.clone() };
    let tag = reference.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    // The one is what the layout's readers look for, the other is what `docker load` calls the image.
    listed.annotations = BTreeMap::from([
        ("org.opencontainers.image.ref.name".to_owned(), tag.to_owned()),
        ("io.containerd.image.name".to_owned(), full_name(reference)),
    ]);
    let index = Index { schema_version: 2, media_type: INDEX.to_owned(), manifests: vec![listed] };

    let mut tar = Builder::new(out);
    for dir in ["blobs", "blobs/sha256"] {
        append(&mut tar, Path::new(dir), EntryType::Directory, 0o755, 0, io::empty())?;
    }
    let from_base = base.map(|base| &base.stretches);
    let names: BTreeSet<_> = blobs.0.keys().chain(from_base.into_iter().flat_map(BTreeMap::keys)).collect();
    for name in names {
        let at = format!("blobs/sha256/{name}");
        match (blobs.0.get(name), base) {
            (None, Some(base)) => {
                let stretch = base.stretches[name];
                file(&mut tar, &at, stretch.len, stretch.read(&base.file)?)?;
            }
            (bytes, _) => {
                let bytes = bytes.map_or(&[][..], Vec::as_slice);
                file(&mut tar, &at, bytes.len() as u64, bytes)?;
            }
        }
    }
    let documents = [
        ("index.json", text(&index)?),
        ("manifest.json", text(&[saved])?),
        ("oci-layout", text(&json!({ "imageLayoutVersion": "1.0.0" }))?),
    ];
    for (name, bytes) in documents {
        file(&mut tar, name, bytes.len() as u64, bytes.as_slice())?;
    }
    tar.into_inner()?.flush()?;
    Ok(manifest)
}

fn file(tar: &mut Builder<impl Write>, name: &str, len: u64, bytes: impl io::Read) -> io::Result<()> {
    append(tar, Path::new(name), EntryType::Regular, 0o644, len, bytes)
}

fn text(document: &impl Serialize) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(document)?)
}

/// Where the blob of a descriptor is.
fn path(of: &Descriptor) -> String {
    format!("blobs/{}", of.digest.replacen(':', "/", 1))
}

/// The name of an image with its registry, as Docker completes it: the first part is a registry if it has a dot or a port.
fn full_name(reference: &str) -> String {
    match reference.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => reference.to_owned(),
        Some(_) => format!("docker.io/{reference}"),
        None => format!("docker.io/library/{reference}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_completed_as_docker_does() {
        assert_eq!(full_name("pair:latest"), "docker.io/library/pair:latest");
        assert_eq!(full_name("lab/pair:1"), "docker.io/lab/pair:1");
        for whole in ["r.example.org/lab/pair:1", "localhost/pair:1", "r:5000/pair:1"] {
            assert_eq!(full_name(whole), whole);
        }
    }
}
