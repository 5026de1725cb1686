//! Who is let in where a node listens for clients: what they see of it, and what they have to show.

use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{PemObject, SectionKind};
use serde::{Deserialize, Serialize};

use super::{Authorities, SecretSource};

/// Who is let in, as a program says it. Paths are made absolute as that of a component is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admission {
    /// A PEM file with the certificate by which clients know the node, and those that lead to an authority. With it,
    /// connections are encrypted.
    pub certificate: Option<PathBuf>,
    /// A PEM file with the private key of the certificate, which is read when the program is launched.
    pub key: Option<PathBuf>,
    /// A PEM file with the certificates of the authorities that vouch for clients. With it, each has to show a certificate.
    pub client_ca: Option<PathBuf>,
    /// The token that each call has to show.
    pub token: Option<SecretSource>,
}

/// The same as a plan says it, which has everything but secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmissionPlan {
    /// The certificate by which clients know the node, and those that lead to an authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Certificates>,
    /// The file with the private key of the first certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The authorities that vouch for clients, each of which has to show a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<Authorities>,
    /// Where the token is that each call has to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretSource>,
}

impl AdmissionPlan {
    /// Whether anybody is let in, over a connection that is not encrypted.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

/// A certificate and those that lead from it to an authority. In a plan, each is its DER as base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Certificates(Vec<CertificateDer<'static>>);

/// Why a file has no [`Certificates`]. The texts complete "`server.pem` …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificates {
    /// There is a key beside the certificates, or in place of them.
    #[error("has a private key in it")]
    PrivateKey,
    /// There is no certificate.
    #[error("has no certificate in it")]
    Empty,
    /// What looks like PEM is none.
    #[error("is not PEM")]
    NotPem,
}

impl Certificates {
    /// The certificates in a PEM file, in their order.
    ///
    /// # Errors
    /// If there is none, or a key, which a plan must not have.
    pub fn from_pem(pem: &[u8]) -> Result<Certificates, BadCertificates> {
        let key = b"PRIVATE KEY-----";
        if pem.windows(key.len()).any(|window| window == key) {
            return Err(BadCertificates::PrivateKey);
        }
        let mut certificates = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
            let (kind, der) = section.map_err(|_| BadCertificates::NotPem)?;
            if kind == SectionKind::Certificate {
                certificates.push(der.into());
            }
        }
        if certificates.is_empty() { Err(BadCertificates::Empty) } else { Ok(Certificates(certificates)) }
    }

    /// The chain, the node's own certificate first.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.0.clone()
    }
}

impl From<Certificates> for Vec<String> {
    fn from(certificates: Certificates) -> Vec<String> {
        certificates.0.iter().map(|certificate| BASE64_STANDARD.encode(certificate)).collect()
    }
}

impl TryFrom<Vec<String>> for Certificates {
    type Error = BadCertificates;

    fn try_from(texts: Vec<String>) -> Result<Certificates, BadCertificates> {
        let certificate = |text: &String| BASE64_STANDARD.decode(text).map(CertificateDer::from);
        let certificates = texts.iter().map(certificate).collect::<Result<Vec<_>, _>>();
        Ok(Certificates(certificates.map_err(|_| BadCertificates::NotPem)?))
    }
}
