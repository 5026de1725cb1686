//! The key of an agent or of a launcher, and the fingerprint by which the other end knows it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use sha2::Digest;

const FINGERPRINT_BYTES: usize = 32;

/// What comes before the digest in a fingerprint, as ssh writes it.
const PREFIX: &str = "SHA256:";

/// The digest of a public key, shown as ssh shows that of its keys: `SHA256:` and 43 characters of base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint([u8; FINGERPRINT_BYTES]);

/// A text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is `SHA256:` and 43 characters, as `lp-host agent --print-fingerprint` shows it")]
pub struct NotAFingerprint;

impl Fingerprint {
    /// That of a public key, in the DER form that TLS carries.
    pub fn of(public_key: &[u8]) -> Self {
        Self(sha2::Sha256::digest(public_key).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let encoded = text.strip_prefix(PREFIX).ok_or(NotAFingerprint)?;
        let bytes = STANDARD_NO_PAD.decode(encoded).map_err(|_| NotAFingerprint)?;
        bytes.try_into().map(Self).map_err(|_| NotAFingerprint)
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = NotAFingerprint;

    fn try_from(text: String) -> Result<Self, NotAFingerprint> {
        text.parse()
    }
}

/// A key that proves who this end is.
#[derive(Clone)]
pub struct Key {
    certified: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read or written.
    #[error("the key `{}` can't be read or made", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others can read it.
    #[error("the key `{}` can be read by others: `chmod 600` it, or delete it to have another one made", .0.display())]
    Open(PathBuf),
    /// The file has something else.
    #[error("`{}` has no Ed25519 key in PEM (PKCS #8): delete it to have another one made", .0.display())]
    Malformed(PathBuf),
    /// The system makes none.
    #[error("no key can be made: {0}")]
    NotMade(String),
}

impl Key {
    /// The key in `file`, which is made with a new key if it is not there. Folders above it are made too.
    ///
    /// # Errors
    /// If the file can't be had, is open to others, or has something else.
    pub fn load_or_create(file: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { file: file.to_owned(), source };
        match std::fs::metadata(file) {
            Ok(metadata) if metadata.mode() & 0o077 != 0 => return Err(KeyError::Open(file.to_owned())),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => create(file)?,
            Err(error) => return Err(failed(error)),
        }
        let text = std::fs::read_to_string(file).map_err(failed)?;
        Self::from_pem(&text).ok_or_else(|| KeyError::Malformed(file.to_owned()))
    }

    /// The key in `file`, which may be there for a group to read: of those that a cluster gives its processes.
    ///
    /// # Errors
    /// If the file can't be had, is open to others, or has something else.
    pub fn load(file: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { file: file.to_owned(), source };
        if std::fs::metadata(file).map_err(failed)?.mode() & 0o037 != 0 {
            return Err(KeyError::Open(file.to_owned()));
        }
        let text = std::fs::read_to_string(file).map_err(failed)?;
        Self::from_pem(&text).ok_or_else(|| KeyError::Malformed(file.to_owned()))
    }

    /// A new key, which no file has.
    ///
    /// # Errors
    /// If the system makes none.
    pub fn random() -> Result<Self, KeyError> {
        Self::from_pem(&new_pem()?).ok_or_else(|| KeyError::NotMade("it is not one of Ed25519".to_owned()))
    }

    fn from_pem(text: &str) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).ok()?;
        let key = any_eddsa_type(&der).ok()?;
        let public_key = key.public_key()?.to_vec();
        let fingerprint = Fingerprint::of(&public_key);
        let certified = Arc::new(CertifiedKey::new(vec![CertificateDer::from(public_key)], key));
        Some(Self { certified, fingerprint })
    }

    /// By which the other end knows it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        self.certified.clone()
    }
}

fn new_pem() -> Result<String, KeyError> {
    let key =
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).map_err(|error| KeyError::NotMade(error.to_string()))?;
    Ok(key.serialize_pem())
}

/// Makes a key in `file`, unless another process does so at the same time.
fn create(file: &Path) -> Result<(), KeyError> {
    let pem = new_pem()?;
    let written = || {
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir)?;
        }
        // Never there without its content: a name is given to a file that has it.
        let unfinished = file.with_extension(format!("new{}", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).open(&unfinished)?.write_all(pem.as_bytes())?;
        let linked = std::fs::hard_link(&unfinished, file);
        std::fs::remove_file(&unfinished)?;
        match linked {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    };
    written().map_err(|source| KeyError::File { file: file.to_owned(), source })
}

/// The launchers that an agent serves: one fingerprint a line, with whatever name behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownLaunchers(BTreeMap<Fingerprint, String>);

/// A file of launchers that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LaunchersError {
    /// It can't be read.
    #[error("`{}` can't be read", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line is wrong.
    #[error("`{}`, line {line}: {source}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        source: NotAFingerprint,
    },
}

impl KnownLaunchers {
    /// Those in `file`. Empty lines and what follows a `#` count for nothing.
    ///
    /// # Errors
    /// If it can't be read, or has anything else.
    pub fn read(file: &Path) -> Result<Self, LaunchersError> {
        let text =
            std::fs::read_to_string(file).map_err(|source| LaunchersError::File { file: file.to_owned(), source })?;
        let lines = (1..).zip(text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()));
        let known = lines.filter(|(_, line)| !line.is_empty()).map(|(number, line)| {
            let (fingerprint, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let parsed = fingerprint.parse();
            let parsed =
                parsed.map_err(|source| LaunchersError::Line { file: file.to_owned(), line: number, source })?;
            Ok((parsed, name.trim().to_owned()))
        });
        known.collect::<Result<_, _>>().map(Self)
    }

    /// What the file calls a launcher; `None` if it is not known.
    pub fn name(&self, launcher: Fingerprint) -> Option<&str> {
        self.0.get(&launcher).map(String::as_str)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/b/key");
        let key = Key::load_or_create(&file).unwrap();
        assert_eq!(Key::load_or_create(&file).unwrap().fingerprint(), key.fingerprint());
        assert_ne!(Key::random().unwrap().fingerprint(), key.fingerprint());
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        assert!(!format!("{key:?}").contains("PRIVATE"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Key::load_or_create(&file), Err(KeyError::Open(_))));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&file, "no key").unwrap();
        assert!(matches!(Key::load_or_create(&file), Err(KeyError::Malformed(_))));
    }

    #[test]
    fn a_fingerprint_is_read_as_it_is_shown() {
        let fingerprint = Fingerprint::of(b"abc");
        let shown = fingerprint.to_string();
        assert_eq!(shown, "SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0");
        assert_eq!(shown.parse(), Ok(fingerprint));
        for wrong in ["", "SHA256:", &shown[1..], &shown[..shown.len() - 1], &format!("{shown}A"), "SHA1:abc"] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(NotAFingerprint), "{wrong}");
        }
    }

    #[test]
    fn a_file_of_launchers_names_them_and_tells_which_line_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("launchers");
        let (a, b) = (Fingerprint::of(b"a"), Fingerprint::of(b"b"));
        std::fs::write(&file, format!("# mine\n\n{a} ada@laptop # old\n{b}\n")).unwrap();
        let known = KnownLaunchers::read(&file).unwrap();
        assert_eq!(
            (known.name(a), known.name(b), known.name(Fingerprint::of(b"c"))),
            (Some("ada@laptop"), Some(""), None)
        );
        std::fs::write(&file, format!("{a}\nSHA256:x\n")).unwrap();
        let error = KnownLaunchers::read(&file).unwrap_err().to_string();
        assert!(error.contains("line 2: a fingerprint is"), "{error}");
    }
}
