//! The key by which the entries of a compile cache are sealed.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::{is_private, temporary, write};

/// The length of a key, which is that of the hash, as RFC 2104 advises.
const KEY_BYTES: usize = 32;

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

impl SealKey {
    /// The key in the file `path`, which is made if it is missing or no key; `None` if others could have read it.
    pub fn read_or_make(path: &Path) -> io::Result<Option<Self>> {
        if let Some(found) = read(path)? {
            return Ok(found);
        }
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
        // A key that is there already stays: of two processes that start at once, both use the one that came first.
        let made = temporary(path);
        write(&made, &[&key])?;
        let linked = fs::hard_link(&made, path);
        let _ = fs::remove_file(&made);
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(read(path)?.flatten()),
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

/// The key in a file: nothing if there is no file or no key in it, and no key if others could have read it.
fn read(path: &Path) -> io::Result<Option<Option<SealKey>>> {
    let opened = OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path);
    let file = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || !is_private(&metadata) {
        return Ok(Some(None));
    }
    let mut key = Vec::new();
    file.take(KEY_BYTES as u64 + 1).read_to_end(&mut key)?;
    match <[u8; KEY_BYTES]>::try_from(key) {
        Ok(key) => Ok(Some(Some(SealKey(Arc::new(key))))),
        Err(_) => fs::remove_file(path).map(|()| None),
    }
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
