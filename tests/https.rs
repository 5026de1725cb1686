//! Requests by HTTPS: which authorities vouch for a server, and what is said of one for which none does.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::hostile::{Attack, answer, serve};
use crate::sandbox::{check, greeter};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// An authority that nobody knows.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let mut params = CertificateParams::new([]).expect("it has no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
});

/// Puts the authority's certificate beside the program.
fn hand_out(dir: &Path) {
    std::fs::write(dir.join("ca.pem"), AUTHORITY.pem()).expect("it can be written");
}

/// A server with a certificate for `names` by [`AUTHORITY`], for as long as tests run.
fn server(names: &[&str]) -> SocketAddr {
    let key = KeyPair::generate().expect("a key");
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = CertificateParams::new(names).expect("they are names").signed_by(&key, &AUTHORITY);
    let certificate = certificate.expect("a certificate").der().clone();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("the provider has them").with_no_client_auth();
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("it is a key");
    let config = Arc::new(config.with_single_cert(vec![certificate], key).expect("the key is the certificate's"));
    serve(move |connection, address| {
        let tls = ServerConnection::new(config.clone()).expect("the setting is complete");
        answer(StreamOwned::new(tls, connection), address);
    })
}

/// The arguments by which either guest asks `authority` by HTTPS, with a grant of all servers.
fn asking(guest: &str, authority: &str, trust: &str) -> String {
    let verb = if guest == "hostile_async" { "request-https" } else { "https" };
    format!("args = ['{verb}', '{authority}']\nsandbox = {{ http = ['https://*:*'], {trust} }}")
}

const TRUST: &str = "http-ca = 'ca.pem'";

#[test]
fn a_server_is_trusted_by_the_authority_that_its_node_names() {
    let address = server(&["127.0.0.1", "localhost"]);
    let loot = format!("loot: (200, \"GET / HTTP/1.1 by {address}\")");
    for guest in ["request_elsewhere", "hostile_async"] {
        for authority in [address.to_string(), format!("localhost:{}", address.port())] {
            check(guest, &asking(guest, &authority, TRUST), hand_out, &[&loot]);
        }
    }
}

#[test]
fn a_server_that_no_trusted_authority_vouches_for_is_refused() {
    let address = server(&["127.0.0.1"]).to_string();
    for guest in ["request_elsewhere", "hostile_async"] {
        let settings = asking(guest, &address, "");
        let denial = format!(
            "denied: `hostile/0` tried to request `https://{address}`, whose certificate is from no authority that it trusts \
             (allow it with `sandbox.http-ca`)"
        );
        Attack::new(guest).settings(&settings).stderr(&denial).stderr("TlsCertificateError").check();
    }
}

#[test]
fn a_server_with_a_certificate_for_another_name_is_refused() {
    let address = server(&["example.org"]).to_string();
    let settings = asking("request_elsewhere", &address, TRUST);
    let denial = format!(
        "denied: `hostile/0` tried to request `https://{address}`, whose certificate is wrong: certificate not valid for \
         name `127.0.0.1`"
    );
    Attack::new("request_elsewhere").settings(&settings).prepare(hand_out).stderr(&denial).check();
}

#[test]
fn a_server_that_does_not_encrypt_is_refused() {
    let settings = asking("request_elsewhere", &greeter().to_string(), "");
    Attack::new("request_elsewhere").settings(&settings).stderr("no loot: ErrorCode::TlsProtocolError").check();
}
