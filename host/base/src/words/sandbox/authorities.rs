//! Certificates of authorities that vouch for the servers of HTTPS requests.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{PemObject, SectionKind};
use serde::{Deserialize, Serialize};

/// The authorities that a node trusts beside Mozilla's: the certificates of its `http-ca`. In a plan, each is its DER as
/// base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Authorities(Vec<CertificateDer<'static>>);

/// Why a file has no [`Authorities`]. The texts complete "`ca.pem` …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAuthorities {
    /// There is a key beside the certificates, or in place of them.
    #[error("has a private key in it")]
    PrivateKey,
    /// There is no certificate.
    #[error("has no certificate in it")]
    Empty,
    /// What looks like PEM is none.
    #[error("is not PEM")]
    NotPem,
    /// A certificate is none: the one at this place in the file, from 1.
    #[error("has a certificate in it that is not valid, number {0}")]
    Certificate(usize),
}

impl Authorities {
    /// The certificates in a PEM file. Anything but certificates and keys in it is left out.
    pub fn from_pem(pem: &[u8]) -> Result<Authorities, BadAuthorities> {
        // Whatever kind of key it is, encrypted or not: nobody means to hand it to a program.
        let key = b"PRIVATE KEY-----";
        if pem.windows(key.len()).any(|window| window == key) {
            return Err(BadAuthorities::PrivateKey);
        }
        let mut certificates = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
            let (kind, der) = section.map_err(|_| BadAuthorities::NotPem)?;
            if kind == SectionKind::Certificate {
                certificates.push(der.into());
            }
        }
        Authorities::new(certificates)
    }

    fn new(certificates: Vec<CertificateDer<'static>>) -> Result<Authorities, BadAuthorities> {
        let authorities = Authorities(certificates);
        authorities.add_to(&mut RootCertStore::empty())?;
        match authorities.0.is_empty() {
            true => Err(BadAuthorities::Empty),
            false => Ok(authorities),
        }
    }

    /// Has `store` trust them.
    ///
    /// # Errors
    /// If one is not valid; the constructors have seen to that.
    pub fn add_to(&self, store: &mut RootCertStore) -> Result<(), BadAuthorities> {
        for (certificate, number) in self.0.iter().zip(1..) {
            store.add(certificate.clone()).map_err(|_| BadAuthorities::Certificate(number))?;
        }
        Ok(())
    }
}

impl From<Authorities> for Vec<String> {
    fn from(authorities: Authorities) -> Vec<String> {
        authorities.0.iter().map(|certificate| BASE64_STANDARD.encode(certificate)).collect()
    }
}

impl TryFrom<Vec<String>> for Authorities {
    type Error = BadAuthorities;

    fn try_from(texts: Vec<String>) -> Result<Authorities, BadAuthorities> {
        let certificate = |text: &String| BASE64_STANDARD.decode(text).map(CertificateDer::from);
        let certificates = texts.iter().map(certificate).collect::<Result<_, _>>();
        Authorities::new(certificates.map_err(|_| BadAuthorities::NotPem)?)
    }
}
