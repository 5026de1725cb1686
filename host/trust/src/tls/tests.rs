//! Handshakes between two ends in memory: whom each of them believes.

use std::time::SystemTime;

use rustls::{ClientConnection, ServerConnection};

use super::*;
use crate::RunAuthority;

const YEAR: std::time::Duration = std::time::Duration::from_hours(366 * 24);

fn authority(run: &str) -> RunAuthority {
    RunAuthority::new(run).expect("the system has randomness")
}

fn issue(authority: &RunAuthority, identity: Identity) -> WorkerTls {
    issue_at(authority, identity, SystemTime::now())
}

fn issue_at(authority: &RunAuthority, identity: Identity, now: SystemTime) -> WorkerTls {
    authority.issue(identity, now).expect("the system has randomness")
}

fn server(tls: &WorkerTls) -> ServerConfig {
    tls.server(&Scheduler::default()).expect("an authority made it")
}

fn client(tls: &WorkerTls, peer: Identity) -> ClientConfig {
    tls.client(peer, &Scheduler::default()).expect("an authority made it")
}

/// The handshake, and one byte in each direction. The error is that of the end that refuses.
fn meet(client: ClientConfig, server: ServerConfig) -> Result<(), Error> {
    let mut client = ClientConnection::new(client.into(), server_name())?;
    let mut server = ServerConnection::new(server.into())?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("memory takes all");
        }
        server.read_tls(&mut bytes.as_slice()).expect("memory gives all");
        server.process_new_packets()?;
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory takes all");
        }
        client.read_tls(&mut bytes.as_slice()).expect("memory gives all");
        client.process_new_packets()?;
    }
    assert_eq!((client.alpn_protocol(), server.alpn_protocol()), (Some(ALPN), Some(ALPN)));
    Ok(())
}

#[test]
fn a_worker_reaches_the_one_that_it_means_and_no_other() {
    let authority = authority("calm-fox");
    let (first, second) = (issue(&authority, Identity::Worker(1)), issue(&authority, Identity::Worker(12)));
    let launcher = issue(&authority, Identity::Launcher);
    assert_eq!(meet(client(&first, Identity::Worker(12)), server(&second)), Ok(()));
    assert_eq!(meet(client(&launcher, Identity::Worker(12)), server(&second)), Ok(()));
    for other in [Identity::Worker(1), Identity::Worker(2), Identity::Worker(121), Identity::Launcher] {
        let wrong = Error::InvalidCertificate(CertificateError::NotValidForName);
        assert_eq!(meet(client(&first, other), server(&second)), Err(wrong), "{other:?}");
    }
}

#[test]
fn a_certificate_of_another_run_is_refused_on_both_ends() {
    // Even of one with the same name.
    let (own, foreign) = (authority("calm-fox"), authority("calm-fox"));
    let [own_worker, own_caller] = [0, 1].map(|index| issue(&own, Identity::Worker(index)));
    let [foreign_worker, foreign_caller] = [0, 1].map(|index| issue(&foreign, Identity::Worker(index)));
    let refused = |error: Error| {
        let unknown = [CertificateError::UnknownIssuer, CertificateError::BadSignature];
        assert!(unknown.map(Error::InvalidCertificate).contains(&error), "{error:?}");
    };
    refused(meet(client(&own_caller, Identity::Worker(0)), server(&foreign_worker)).expect_err("no peer of the run"));
    // One that believes the worker, and shows what the worker does not believe.
    let thief = WorkerTls { authority: own_worker.authority.clone(), ..foreign_caller };
    refused(meet(client(&thief, Identity::Worker(0)), server(&own_worker)).expect_err("no peer of the run"));
}

#[test]
fn an_expired_certificate_is_refused_on_both_ends_and_one_of_a_clock_that_is_ahead_is_not() {
    let authority = authority("calm-fox");
    let now = SystemTime::now();
    let caller = issue(&authority, Identity::Launcher);
    let old = now - YEAR - std::time::Duration::from_secs(60);
    let expired = issue_at(&authority, Identity::Worker(0), old);
    let is_expired = |error: Error| {
        let wrong = matches!(error, Error::InvalidCertificate(CertificateError::ExpiredContext { .. }));
        assert!(wrong, "{error:?}");
    };
    is_expired(meet(client(&caller, Identity::Worker(0)), server(&expired)).expect_err("it has expired"));
    let worker = issue(&authority, Identity::Worker(1));
    is_expired(meet(client(&expired, Identity::Worker(1)), server(&worker)).expect_err("it has expired"));
    let ahead = issue_at(&authority, Identity::Worker(0), now + std::time::Duration::from_secs(3000));
    assert_eq!(meet(client(&caller, Identity::Worker(0)), server(&ahead)), Ok(()));
}

#[test]
fn who_shows_no_certificate_is_refused() {
    let authority = authority("calm-fox");
    let worker = issue(&authority, Identity::Worker(0));
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]);
    let verifier = OnePeer {
        roots: worker.roots().expect("an authority made it"),
        uri: Identity::Worker(0).uri("calm-fox"),
        algorithms: provider().signature_verification_algorithms,
    };
    let builder = builder.expect("it has TLS 1.3").dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    assert_eq!(meet(builder.with_no_client_auth(), server(&worker)), Err(Error::NoCertificatesPresented));
}

#[test]
fn what_a_worker_gets_survives_the_way_to_it_and_its_key_is_not_printed() {
    let authority = authority("calm-fox");
    let tls = issue(&authority, Identity::Worker(0));
    let text = serde_json::to_string(&tls).expect("it can be written");
    assert_eq!(serde_json::from_str::<WorkerTls>(&text).expect("it can be read"), tls);
    assert_eq!(format!("{tls:?} {authority:?}"), "WorkerTls(calm-fox, …) RunAuthority(calm-fox)");
}
