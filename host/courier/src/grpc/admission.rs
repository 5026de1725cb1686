//! Who is let in at an endpoint for clients: by an encrypted connection, a certificate, a token, or anybody.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use lp_base::plan::Secret;
use lp_base::words::{AdmissionPlan, Authorities};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tonic::Status;

/// Lets clients in, or not. By default anybody, over a connection that is not encrypted.
#[derive(Clone, Default)]
pub struct Guard {
    tls: Option<TlsAcceptor>,
    token: Option<Secret>,
}

/// Why there is no [`Guard`] as a program wants it.
#[derive(Debug, thiserror::Error)]
pub enum BadAdmission {
    /// The file of the key has none.
    #[error("the key of its `listen` is not a private key in PEM")]
    Key,
    /// The certificate or the key can't be used, such as if they don't belong together.
    #[error("the certificate of its `listen` can't be used with the key: {0}")]
    Certificate(#[source] rustls::Error),
    /// The authorities for clients can't be used.
    #[error("the `client-ca` of its `listen` can't be used: {0}")]
    Authorities(String),
    /// A token that any client could guess.
    #[error("the token of its `listen` is shorter than {TOKEN_BYTES_MIN} characters")]
    ShortToken,
}

/// The fewest characters of a token: as many as nobody tries out.
const TOKEN_BYTES_MIN: usize = 16;

impl Guard {
    /// Lets in whom `plan` wants, with its secrets.
    ///
    /// # Errors
    /// If what it has does not fit together.
    pub fn new(plan: &AdmissionPlan, key: Option<&Secret>, token: Option<&Secret>) -> Result<Self, BadAdmission> {
        if token.is_some_and(|token| token.expose().len() < TOKEN_BYTES_MIN) {
            return Err(BadAdmission::ShortToken);
        }
        let tls = plan.certificates.as_ref().map(|certificates| {
            let key = key.and_then(|key| PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).ok());
            let key = key.ok_or(BadAdmission::Key)?;
            let provider = Arc::new(aws_lc_rs::default_provider());
            let builder = ServerConfig::builder_with_provider(provider.clone());
            let builder = builder.with_safe_default_protocol_versions().map_err(BadAdmission::Certificate)?;
            let builder = match &plan.client_ca {
                None => builder.with_no_client_auth(),
                Some(authorities) => {
                    let verifier = WebPkiClientVerifier::builder_with_provider(roots(authorities)?, provider).build();
                    let verifier = verifier.map_err(|error| BadAdmission::Authorities(error.to_string()))?;
                    builder.with_client_cert_verifier(verifier)
                }
            };
            let config = builder.with_single_cert(certificates.chain(), key);
            let mut config = config.map_err(BadAdmission::Certificate)?;
            // The only protocol that is spoken here, which clients of gRPC insist on.
            config.alpn_protocols = vec![b"h2".to_vec()];
            Ok(TlsAcceptor::from(Arc::new(config)))
        });
        Ok(Self { tls: tls.transpose()?, token: token.cloned() })
    }

    /// How a connection is encrypted, if it is.
    pub(super) fn tls(&self) -> Option<&TlsAcceptor> {
        self.tls.as_ref()
    }

    /// Whether a request may be served.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<(), Status> {
        let Some(token) = &self.token else { return Ok(()) };
        let shown = headers.get(AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
        let (scheme, shown) = shown.split_at_checked(BEARER.len()).unwrap_or((shown, &[]));
        if scheme.eq_ignore_ascii_case(BEARER) && is_same(shown, token.expose().as_bytes()) {
            return Ok(());
        }
        Err(Status::unauthenticated("this address wants a token: `authorization: Bearer TOKEN`"))
    }
}

const BEARER: &[u8] = b"Bearer ";

/// Whether both are the same, in a time that tells nothing of where they differ.
fn is_same(shown: &[u8], token: &[u8]) -> bool {
    let differing = shown.iter().zip(token).fold(0, |differing, (shown, token)| differing | (shown ^ token));
    shown.len() == token.len() && std::hint::black_box(differing) == 0
}

fn roots(authorities: &Authorities) -> Result<Arc<RootCertStore>, BadAdmission> {
    let mut roots = RootCertStore::empty();
    authorities.add_to(&mut roots).map_err(|error| BadAdmission::Authorities(error.to_string()))?;
    Ok(Arc::new(roots))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use lp_base::plan::Secret;

    use super::{AUTHORIZATION, AdmissionPlan, BadAdmission, Guard, HeaderMap};

    #[test]
    fn only_the_whole_token_is_admitted() {
        let token = Secret::new("0123456789abcdef");
        let guard = Guard::new(&AdmissionPlan::default(), None, Some(&token)).expect("it is long enough");
        let admits = |shown: Option<&str>| {
            let value = |shown: &str| HeaderValue::from_str(shown).expect("it is a value");
            let headers = shown.map(|shown| (AUTHORIZATION, value(shown)));
            guard.admit(&HeaderMap::from_iter(headers)).is_ok()
        };
        assert!(admits(Some("Bearer 0123456789abcdef")) && admits(Some("bearer 0123456789abcdef")));
        let wrong = ["", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdeF", "0123456789abcdef"];
        assert!(!admits(None) && wrong.iter().all(|shown| !admits(Some(shown))));
        assert!(!admits(Some("Bearer 0123456789abcdef0")) && !admits(Some("Basic  0123456789abcdef")));
        assert!(Guard::default().admit(&HeaderMap::new()).is_ok());
        let short = Guard::new(&AdmissionPlan::default(), None, Some(&Secret::new("0123456789abcde")));
        assert!(matches!(short, Err(BadAdmission::ShortToken)));
    }
}
