//! TLS between the workers of a run: version 1.3, with certificates of the run's authority on both ends.

use std::sync::Arc;

use lp_base::scheduler::Scheduler;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
};
use webpki::EndEntityCert;

use crate::{Identity, WorkerTls};

/// The protocol that workers speak above TLS.
pub const ALPN: &[u8] = b"lp-worker/1";

/// Certificates or a key that can't be used: no authority of a run makes such.
#[derive(Debug, thiserror::Error)]
#[error("the certificates of the run can't be used: {0}")]
pub struct BadTls(String);

impl From<Error> for BadTls {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// The name that connections between workers are opened for. It is not sent, and no certificate has it: whom a connection
/// leads to is judged by the URI of its certificate.
pub fn server_name() -> ServerName<'static> {
    ServerName::try_from("worker").expect("it is a name")
}

impl WorkerTls {
    /// Lets in whoever has a certificate of the run's authority. Time is `scheduler`'s.
    ///
    /// # Errors
    /// If this is not what an authority made.
    pub fn server(&self, scheduler: &Scheduler) -> Result<ServerConfig, BadTls> {
        let provider = provider();
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots()?.into(), provider.clone()).build();
        let verifier = verifier.map_err(|error| BadTls(error.to_string()))?;
        let builder = ServerConfig::builder_with_details(provider, Arc::new(Wall(scheduler.clone())));
        let builder = builder.with_protocol_versions(&[&TLS13])?.with_client_cert_verifier(verifier);
        let mut config = builder.with_single_cert(vec![self.certificate.clone().into()], self.private_key())?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Connections are few and last. Without resumption, each of them has shown a certificate.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// Connects to `peer` and to nobody else, whatever the run's authority has certified. Time is `scheduler`'s.
    ///
    /// # Errors
    /// If this is not what an authority made.
    pub fn client(&self, peer: Identity, scheduler: &Scheduler) -> Result<ClientConfig, BadTls> {
        let provider = provider();
        let algorithms = provider.signature_verification_algorithms;
        let verifier = OnePeer { roots: self.roots()?, uri: peer.uri(&self.run), algorithms };
        let builder = ClientConfig::builder_with_details(provider, Arc::new(Wall(scheduler.clone())));
        let builder = builder.with_protocol_versions(&[&TLS13])?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = builder.with_client_auth_cert(vec![self.certificate.clone().into()], self.private_key())?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore, BadTls> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone().into())?;
        Ok(roots)
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The time of day, by which certificates are valid.
#[derive(Debug)]
struct Wall(Scheduler);

impl TimeProvider for Wall {
    fn current_time(&self) -> Option<UnixTime> {
        self.0.wall().duration_since(std::time::UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}

/// Accepts the certificate of one peer: one of the authority, with that URI and no other.
#[derive(Debug)]
struct OnePeer {
    roots: RootCertStore,
    uri: String,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for OnePeer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, self.algorithms.all)?;
        let certificate = EndEntityCert::try_from(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        let is_peer = certificate.valid_uri_names().eq([self.uri.as_str()]);
        is_peer.then(ServerCertVerified::assertion).ok_or(Error::InvalidCertificate(CertificateError::NotValidForName))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("workers speak TLS 1.3".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
