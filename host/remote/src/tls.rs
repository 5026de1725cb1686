//! TLS between a launcher and an agent: version 1.3, with raw public keys on both ends (RFC 7250) instead of certificates.
//! Each end is known by the fingerprint of its key and by nothing else.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};

use crate::key::{Fingerprint, Key};

/// What a launcher and an agent that listens speak inside of TLS.
pub const AGENT_ALPN: &[u8] = b"lp-agent";

/// Whether an agent serves the launcher with this key.
pub type Serves = dyn Fn(Fingerprint) -> bool + Send + Sync;

/// The launcher's end: it shows `key`, and wants the agent to have the key with that fingerprint. Tells which key it has if that
/// is another one. `alpn` is what is spoken inside.
///
/// # Errors
/// If the cryptographic library lacks what TLS 1.3 takes.
pub fn client_config(key: &Key, agent: Fingerprint, alpn: &[u8]) -> Result<(ClientConfig, Seen), Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let seen = Seen::default();
    let verifier = Arc::new(Pinned { agent, seen: seen.clone(), provider: provider.clone() });
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13])?;
    let resolver = Arc::new(AlwaysResolvesClientRawPublicKeys::new(key.certified()));
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = builder.with_client_cert_resolver(resolver);
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok((config, seen))
}

/// The agent's end: it shows `key`, and serves the launchers that `serves` says.
///
/// # Errors
/// If the cryptographic library lacks what TLS 1.3 takes.
pub fn server_config(key: &Key, serves: Arc<Serves>, alpn: &[u8]) -> Result<ServerConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(Known { serves, provider: provider.clone() });
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13])?;
    let resolver = Arc::new(AlwaysResolvesServerRawPublicKeys::new(key.certified()));
    let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(resolver);
    config.alpn_protocols = vec![alpn.to_vec()];
    // A connection is made once for a run, and what was let in before may not be by now.
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The key of an agent that should have another one.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<OnceLock<Fingerprint>>);

impl Seen {
    /// It, if it was seen.
    pub fn other(&self) -> Option<Fingerprint> {
        self.0.get().copied()
    }
}

/// Wants the one key.
struct Pinned {
    agent: Fingerprint,
    seen: Seen,
    provider: Arc<CryptoProvider>,
}

/// Wants a key that is known.
struct Known {
    serves: Arc<Serves>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").field("agent", &self.agent).finish_non_exhaustive()
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").finish_non_exhaustive()
    }
}

fn unknown() -> Error {
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

fn verify(
    provider: &CryptoProvider,
    message: &[u8],
    key: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let key = SubjectPublicKeyInfoDer::from(key.as_ref());
    verify_tls13_signature_with_raw_key(message, &key, signed, &provider.signature_verification_algorithms)
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = Fingerprint::of(key);
        if seen == self.agent {
            return Ok(ServerCertVerified::assertion());
        }
        let _ = self.seen.0.set(seen);
        Err(unknown())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(unknown())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(&self.provider, message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Known {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match (self.serves)(Fingerprint::of(key)) {
            true => Ok(ClientCertVerified::assertion()),
            false => Err(unknown()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(unknown())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(&self.provider, message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
