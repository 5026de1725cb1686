//! A base image in a tar, as `docker save`, `podman save` and `skopeo copy` write it: its layers stay as they are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::blob::{LayerBlob, Stretch};
use super::document::{Descriptor, INDEX, Index, LAYER, LAYER_GZIP, LAYER_ZSTD, Manifest, Platform, Saved};

/// The largest document of an image that is read.
const DOCUMENT_BYTES_MAX: u64 = 16 << 20;
/// How many indexes may lead to each other.
const INDEXES_MAX: usize = 4;

/// An image to build on.
#[derive(Debug)]
pub struct Base {
    pub(super) file: File,
    /// Where its layers are in the file, by their digests.
    pub(super) stretches: BTreeMap<String, Stretch>,
    pub(super) layers: Vec<LayerBlob>,
    pub(super) config: Value,
}

/// Why a file is no base.
#[derive(Debug, thiserror::Error)]
pub enum BadBase {
    /// It can't be read, or is no tar.
    #[error("`{path}` can't be read as a tar")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It is a tar, but not of an image that can be built on.
    #[error("`{path}` is no base image: {reason}")]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Base {
    /// Reads the image in the tar at `path`.
    ///
    /// # Errors
    /// If there is no such tar, if it has none or several images for this kind of machine, or if a layer is not what its
    /// digest says.
    pub fn open(path: &Path) -> Result<Self, BadBase> {
        let unreadable = |error| BadBase::Unreadable { path: path.to_owned(), error };
        let file = File::open(path).map_err(unreadable)?;
        let entries = Entries { files: entries(&file).map_err(unreadable)?, file: &file };
        let read = match entries.files.contains_key("index.json") {
            true => entries.oci(),
            false => entries.saved(),
        };
        let (config, parts) = read.map_err(|reason| BadBase::NotAnImage { path: path.to_owned(), reason })?;
        let (mut layers, mut stretches) = (Vec::new(), BTreeMap::new());
        for (layer, stretch) in parts {
            stretches.insert(layer.descriptor.sha256().unwrap_or_default().to_owned(), stretch);
            layers.push(layer);
        }
        Ok(Self { stretches, layers, config, file })
    }
}

/// The configuration of an image, and its layers.
type Image = (Value, Vec<(LayerBlob, Stretch)>);

struct Entries<'a> {
    files: BTreeMap<String, Stretch>,
    file: &'a File,
}

impl Entries<'_> {
    /// The image of an OCI layout.
    fn oci(&self) -> Result<Image, String> {
        let index: Index = self.document("index.json")?;
        let manifest: Manifest = self.blob_document(&self.chosen(index)?)?;
        let config: Value = self.blob_document(&manifest.config)?;
        let diff_ids = check_config(&config, manifest.layers.len())?;
        let layers = manifest.layers.into_iter().zip(diff_ids).map(|(descriptor, diff_id)| {
            let stretch = self.blob(&descriptor)?;
            let digest = stretch.sha256(self.file).map_err(|error| error.to_string())?;
            if descriptor.sha256() != Some(&digest) {
                return Err(format!("the layer `{}` is another one, sha256:{digest}", descriptor.digest));
            }
            // Docker's names of the types of layers are of other manifests.
            let media_type = self.media_type(stretch)?;
            Ok((LayerBlob { descriptor: Descriptor::new(media_type, &digest, stretch.len), diff_id }, stretch))
        });
        let layers: Result<_, String> = layers.collect();
        Ok((config, layers?))
    }

    /// The image of `docker save`.
    fn saved(&self) -> Result<Image, String> {
        let images: Vec<Saved> = self.document("manifest.json").map_err(|_| {
            "it has neither `index.json` nor `manifest.json`, which `skopeo copy`, `docker save` and `podman save` write"
                .to_owned()
        })?;
        let [saved] = images.as_slice() else { return Err(format!("it has {} images, not one", images.len())) };
        let config: Value = self.document(&saved.config)?;
        let diff_ids = check_config(&config, saved.layers.len())?;
        let layers = saved.layers.iter().zip(diff_ids).map(|(name, diff_id)| {
            let stretch = self.stretch(name)?;
            let digest = stretch.sha256(self.file).map_err(|error| error.to_string())?;
            let media_type = self.media_type(stretch)?;
            if media_type == LAYER && diff_id != format!("sha256:{digest}") {
                return Err(format!("the layer `{name}` is another one than its configuration says"));
            }
            Ok((LayerBlob { descriptor: Descriptor::new(media_type, &digest, stretch.len), diff_id }, stretch))
        });
        let layers: Result<_, String> = layers.collect();
        Ok((config, layers?))
    }

    /// The manifest that is for this kind of machine.
    fn chosen(&self, mut index: Index) -> Result<Descriptor, String> {
        let own = Platform::own();
        for _ in 0..INDEXES_MAX {
            let fits = |descriptor: &&Descriptor| descriptor.platform.as_ref().is_none_or(|platform| *platform == own);
            let fitting: Vec<_> = index.manifests.iter().filter(fits).collect();
            let [chosen] = fitting.as_slice() else {
                let (os, architecture) = (own.os, own.architecture);
                return Err(format!("it has {} images for {os}/{architecture}, not one", fitting.len()));
            };
            if chosen.media_type != INDEX && !chosen.media_type.ends_with("manifest.list.v2+json") {
                return Ok((*chosen).clone());
            }
            index = self.blob_document(chosen)?;
        }
        Err("its indexes lead to each other".to_owned())
    }

    fn stretch(&self, name: &str) -> Result<Stretch, String> {
        let normal = normal(Path::new(name)).ok_or_else(|| format!("`{name}` is no path in it"))?;
        self.files.get(&normal).copied().ok_or_else(|| format!("`{name}` is not in it"))
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Stretch, String> {
        let digest = descriptor.sha256().ok_or_else(|| format!("`{}` is no SHA-256 digest", descriptor.digest))?;
        self.stretch(&format!("blobs/sha256/{digest}"))
    }

    fn document<T: DeserializeOwned>(&self, name: &str) -> Result<T, String> {
        self.parsed(self.stretch(name)?).map_err(|error| format!("`{name}`: {error}"))
    }

    fn blob_document<T: DeserializeOwned>(&self, descriptor: &Descriptor) -> Result<T, String> {
        self.parsed(self.blob(descriptor)?).map_err(|error| format!("`{}`: {error}", descriptor.digest))
    }

    fn parsed<T: DeserializeOwned>(&self, stretch: Stretch) -> Result<T, String> {
        if stretch.len > DOCUMENT_BYTES_MAX {
            return Err(format!("it is larger than {DOCUMENT_BYTES_MAX} bytes"));
        }
        let mut bytes = Vec::new();
        let read = stretch.read(self.file).and_then(|mut reader| reader.read_to_end(&mut bytes));
        read.map_err(|error| error.to_string())?;
        serde_json::from_slice(&bytes).map_err(|error| error.to_string())
    }

    /// What a layer is, by its first bytes.
    fn media_type(&self, stretch: Stretch) -> Result<&'static str, String> {
        let mut start = Vec::new();
        let read = stretch.read(self.file).and_then(|reader| reader.take(4).read_to_end(&mut start));
        read.map_err(|error| error.to_string())?;
        Ok(match start.as_slice() {
            [0x1f, 0x8b, ..] => LAYER_GZIP,
            [0x28, 0xb5, 0x2f, 0xfd] => LAYER_ZSTD,
            _ => LAYER,
        })
    }
}

/// Refuses an image for other machines, and gives what its layers are when they are not compressed.
fn check_config(config: &Value, layers: usize) -> Result<Vec<String>, String> {
    let text = |key: &str| config[key].as_str().unwrap_or_default().to_owned();
    let (own, of_base) = (Platform::own(), Platform { architecture: text("architecture"), os: text("os") });
    if of_base != own {
        let (os, architecture) = (of_base.os, of_base.architecture);
        return Err(format!("it is for {os}/{architecture}, and lp-host for {}/{}", own.os, own.architecture));
    }
    let diff_ids: Vec<_> = config["rootfs"]["diff_ids"].as_array().into_iter().flatten().collect();
    if diff_ids.len() != layers {
        return Err(format!("it has {layers} layers, and its configuration names {}", diff_ids.len()));
    }
    Ok(diff_ids.into_iter().map(|id| id.as_str().unwrap_or_default().to_owned()).collect())
}

/// The files of a tar by their names; links are as what they lead to.
fn entries(file: &File) -> io::Result<BTreeMap<String, Stretch>> {
    let file_len = file.metadata()?.len();
    let mut tar = tar::Archive::new(file);
    let (mut files, mut links) = (BTreeMap::new(), Vec::new());
    for entry in tar.entries_with_seek()? {
        let entry = entry?;
        let path = entry.path()?.into_owned();
        let Some(name) = normal(&path) else { continue };
        match entry.header().entry_type() {
            kind if kind.is_file() => {
                let stretch = Stretch { start: entry.raw_file_position(), len: entry.size() };
                // Seeking over what is not there any more is no error.
                if stretch.start.saturating_add(stretch.len) > file_len {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("it ends within `{name}`")));
                }
                files.insert(name, stretch);
            }
            kind if kind.is_symlink() || kind.is_hard_link() => {
                let target = entry.link_name()?.unwrap_or_default().into_owned();
                let from = if kind.is_symlink() { path.parent().unwrap_or(Path::new("")) } else { Path::new("") };
                links.push((name, from.join(target)));
            }
            _ => {}
        }
    }
    for (name, target) in links {
        if let Some(stretch) = normal(&target).and_then(|target| files.get(&target).copied()) {
            files.insert(name, stretch);
        }
    }
    Ok(files)
}

/// A path within a tar, without `.` and `..`; nothing if it leads out.
fn normal(path: &Path) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::ParentDir => drop(parts.pop()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_in_its_tar() {
        assert_eq!(normal(Path::new("./a/../b")).as_deref(), Some("b"));
        assert_eq!(normal(Path::new("a/../../b")), None);
        assert_eq!(normal(Path::new("/a")), None);
    }
}
