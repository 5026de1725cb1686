//! The key by which the entries of a compile cache are sealed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use lp_base::scheduler::{Entropy, Scheduler};
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::{is_private, write_beside};

/// The length of a key, which is that of the hash, as RFC 2104 advises.
const KEY_BYTES: usize = size_of::<Entropy>();

/// The length of what SHA-256 works on at once.
const BLOCK_BYTES: usize = 64;

/// The length of a seal.
pub const SEAL_BYTES: usize = 32;

/// A secret of one user. Clones share it.
#[derive(Clone)]
pub struct SealKey(Arc<[u8; KEY_BYTES]>);

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

/// What is in the place of a key.
pub enum KeyFile {
    /// A key.
    Key(SealKey),
    /// Something that others could have read.
    Shared,
    /// Something else.
    Other,
}

impl SealKey {
    /// The key in the file `path`, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    pub fn read_or_make(path: &Path, scheduler: &Scheduler) -> io::Result<KeyFile> {
        if let Some(found) = read(path)? {
            return Ok(found);
        }
        let key = scheduler.entropy("compile cache")?;
        // A key that is there already stays: of two processes that start at once, both use the one that came first.
        let made = write_beside(path, &[&key])?;
        // One that a crash cut would not be replaced, so it gets its name once it is on the disk.
        let linked = File::open(&made).and_then(|file| file.sync_all()).and_then(|()| fs::hard_link(&made, path));
        let _ = fs::remove_file(&made);
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(read(path)?.unwrap_or(KeyFile::Other)),
        }
    }

    /// The seal of `code` under the name `name`.
    pub fn seal(&self, name: &str, code: &[u8]) -> [u8; SEAL_BYTES] {
        // Names all have the same length, so that no name and code make the same text as another pair.
        hmac(&self.0, [name.as_bytes(), code])
    }

    /// Whether `seal` is the seal of `code` under the name `name`. It takes the same time whatever differs.
    pub fn sealed(&self, name: &str, code: &[u8], seal: &[u8]) -> bool {
        let expected = self.seal(name, code);
        seal.len() == SEAL_BYTES && seal.iter().zip(expected).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
    }
}

/// HMAC-SHA256 of the concatenation of `parts`, by RFC 2104.
fn hmac<const N: usize>(key: &[u8; KEY_BYTES], parts: [&[u8]; N]) -> [u8; SEAL_BYTES] {
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK_BYTES];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        Sha256::new().chain_update(block)
    };
    let inner = parts.iter().fold(padded(0x36), |hash, part| hash.chain_update(part)).finalize();
    padded(0x5c).chain_update(inner).finalize().into()
}

/// What a file is; `None` if there is none.
fn read(path: &Path) -> io::Result<Option<KeyFile>> {
    // Neither through a link, nor waiting for the other end of a pipe.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Some(KeyFile::Other));
    }
    if !is_private(&metadata) {
        return Ok(Some(KeyFile::Shared));
    }
    let mut key = Vec::new();
    file.take(KEY_BYTES as u64 + 1).read_to_end(&mut key)?;
    // A file of another length may be anything of the user's, so it is not for lp-host to replace.
    let key = <[u8; KEY_BYTES]>::try_from(key);
    Ok(Some(key.map_or(KeyFile::Other, |key| KeyFile::Key(SealKey(Arc::new(key))))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_the_hmac_of_its_standard() {
        // The first test case of RFC 4231, whose key of 20 bytes is filled up with zeros, as RFC 2104 says.
        let mut key = [0; KEY_BYTES];
        key[..20].fill(0x0b);
        let seal = hmac(&key, [b"Hi ", b"There"]);
        assert_eq!(seal[..8], [0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53]);
        assert_eq!(seal[24..], [0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7]);
    }
}
