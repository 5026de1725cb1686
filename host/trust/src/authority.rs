//! The certificate authority of one run, and the certificates that it issues.

use std::fmt;
use std::time::{Duration, SystemTime};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use serde::{Deserialize, Serialize};

/// How long before its making a certificate is valid already: the clocks of two hosts differ.
const VALID_BEFORE: Duration = Duration::from_hours(1);
/// How long it is valid. A worker that is started again gets a new one.
const VALID_AFTER: Duration = Duration::from_hours(366 * 24);

/// Who takes part in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// The launcher, which calls nodes for whoever runs the program.
    Launcher,
    /// The worker of that index in the plan, whichever of its lives it is in.
    Worker(usize),
}

impl Identity {
    /// Its name in certificates, in the form of SPIFFE: `spiffe://RUN/worker/INDEX` or `spiffe://RUN/launcher`.
    pub fn uri(self, run: &str) -> String {
        match self {
            Self::Launcher => format!("spiffe://{run}/launcher"),
            Self::Worker(index) => format!("spiffe://{run}/worker/{index}"),
        }
    }
}

/// The certificate authority of one run. Its key is never written anywhere.
pub struct RunAuthority {
    run: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate that can't be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to make the certificates of the run")]
pub struct NoAuthority(#[from] rcgen::Error);

impl RunAuthority {
    /// A new authority for the run of that id.
    ///
    /// # Errors
    /// If the system has no randomness, or if the id has other characters than ASCII.
    pub fn new(run: &str) -> Result<Self, NoAuthority> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, format!("lp-host run {run}"));
        // A trust anchor has no time of its own to whoever verifies by it.
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self { run: run.to_owned(), issuer })
    }

    /// A certificate for `identity`, with a new key. It is valid from an hour before `now` until a year after.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn issue(&self, identity: Identity, now: SystemTime) -> Result<WorkerTls, NoAuthority> {
        let mut params = CertificateParams::default();
        params.not_before = (now - VALID_BEFORE).into();
        params.not_after = (now + VALID_AFTER).into();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(identity.uri(&self.run))?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // Every worker calls and is called.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(WorkerTls {
            run: self.run.clone(),
            certificate: certificate.der().to_vec(),
            key: key.serialize_der(),
            authority: self.issuer.der().to_vec(),
        })
    }
}

impl fmt::Debug for RunAuthority {
    /// Says nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunAuthority({})", self.run)
    }
}

/// What proves who a worker, or the launcher, is, and by what it knows the others. It goes to a worker through its stdin alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerTls {
    pub(crate) run: String,
    #[serde(with = "base64_text")]
    pub(crate) certificate: Vec<u8>,
    /// As PKCS #8.
    #[serde(with = "base64_text")]
    pub(crate) key: Vec<u8>,
    /// The certificate of the run's authority.
    #[serde(with = "base64_text")]
    pub(crate) authority: Vec<u8>,
}

impl fmt::Debug for WorkerTls {
    /// Says nothing of the key: whatever is printed ends up in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkerTls({}, …)", self.run)
    }
}

/// Bytes as base64, where numbers would take four times as much.
mod base64_text {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64_STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
