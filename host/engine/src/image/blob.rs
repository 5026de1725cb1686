//! The blobs of an image, by their digests: bytes in memory, or a stretch of the tar of the base.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use lp_base::words::Digest;
use sha2::Digest as _;

use super::document::{Descriptor, LAYER};

/// The bytes of blobs by their digests, in hexadecimal digits.
#[derive(Debug, Default)]
pub(super) struct Blobs(pub(super) BTreeMap<String, Vec<u8>>);

/// A layer, wherever its bytes are.
#[derive(Debug, Clone)]
pub(super) struct LayerBlob {
    /// What it is, and its digest as it is kept.
    pub(super) descriptor: Descriptor,
    /// Its digest when it is not compressed, as configurations name it.
    pub(super) diff_id: String,
}

/// A file of a tar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) start: u64,
    pub(super) len: u64,
}

impl Blobs {
    /// Adds a blob, and says what it is.
    pub(super) fn add(&mut self, media_type: &str, bytes: Vec<u8>) -> Descriptor {
        let digest = Digest::of(&bytes).to_string();
        let descriptor = Descriptor::new(media_type, &digest, bytes.len() as u64);
        self.0.insert(digest, bytes);
        descriptor
    }

    /// Adds a layer of our own.
    pub(super) fn add_layer(&mut self, tar: Vec<u8>) -> LayerBlob {
        let descriptor = self.add(LAYER, tar);
        LayerBlob { diff_id: descriptor.digest.clone(), descriptor }
    }
}

impl Stretch {
    pub(super) fn read(self, mut file: &File) -> io::Result<impl Read> {
        file.seek(SeekFrom::Start(self.start))?;
        Ok(file.take(self.len))
    }

    /// Its digest, in hexadecimal digits.
    pub(super) fn sha256(self, file: &File) -> io::Result<String> {
        let mut hash = sha2::Sha256::new();
        io::copy(&mut self.read(file)?, &mut hash)?;
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
