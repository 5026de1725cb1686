//! Grants of sockets against addresses that they do and do not cover.

use super::*;

#[track_caller]
fn check(grant: &str, allowed: &[&str], denied: &[&str]) {
    let parsed: NetworkGrant = grant.parse().expect("a grant");
    assert_eq!(parsed.to_string(), grant);
    let NetworkGrant::Socket(used, _) = &parsed else { panic!("a grant of sockets") };
    let allows = |address: &str| parsed.allows(*used, address.parse().expect("an address"));
    allowed.iter().for_each(|address| assert!(allows(address), "{grant} denies {address}"));
    denied.iter().for_each(|address| assert!(!allows(address), "{grant} allows {address}"));
}

#[test]
fn a_grant_is_of_its_addresses_and_ports_only() {
    check("tcp-connect:127.0.0.1:80", &["127.0.0.1:80"], &["127.0.0.1:81", "127.0.0.2:80", "[::1]:80"]);
    check(
        "tcp-connect:10.0.0.0/8:1-9",
        &["10.0.0.0:1", "10.255.255.255:9"],
        &["11.0.0.0:1", "10.0.0.1:10", "9.9.9.9:1"],
    );
    check("udp:[fd00::]/8:*", &["[fd00::1]:0", "[fdff::]:65535"], &["[fe00::]:1", "253.0.0.1:1"]);
    check("tcp-listen:*:0", &["0.0.0.0:0", "[::1]:0"], &["0.0.0.0:80"]);
    check("tcp-connect:*:443", &["1.2.3.4:443", "[2001:db8::1]:443"], &["1.2.3.4:80"]);
}

#[test]
fn an_ipv4_address_in_ipv6_is_judged_as_ipv4() {
    check("tcp-connect:127.0.0.1:80", &["[::ffff:127.0.0.1]:80"], &["[::ffff:127.0.0.2]:80"]);
    check("tcp-connect:[::]/0:80", &["[::1]:80"], &["[::ffff:127.0.0.1]:80", "127.0.0.1:80"]);
}

#[test]
fn a_use_does_not_stand_for_another() {
    let address = "127.0.0.1:80".parse().expect("an address");
    for (name, granted) in USES {
        let grant: NetworkGrant = format!("{name}:127.0.0.1:80").parse().expect("a grant");
        for (_, used) in USES {
            assert_eq!(grant.allows(used, address), used == granted);
        }
        assert!(!grant.allows_lookup(&Host::Name("localhost".to_owned())));
    }
    let dns: NetworkGrant = "dns:localhost".parse().expect("a grant");
    assert!(dns.allows_lookup(&Host::Name("localhost".to_owned())) && !dns.allows(NetworkUse::TcpConnect, address));
}

#[test]
fn what_is_no_grant_is_refused() {
    let wrong = [
        "",
        "tcp",
        "tcp:127.0.0.1:80",
        "tcp-connect:127.0.0.1",
        "tcp-connect:127.0.0.1:",
        "tcp-connect:127.0.0.1:0",
        "tcp-connect:127.0.0.1:+80",
        "tcp-connect:127.0.0.1:65536",
        "tcp-connect:127.0.0.1:9-8",
        "tcp-connect:::1:80",
        "tcp-connect:[::1]",
        "tcp-connect:localhost:80",
        "tcp-connect:10.0.0.1/8:80",
        "tcp-connect:10.0.0.0/33:80",
        "tcp-connect:[::ffff:10.0.0.1]:80",
        "tcp-listen:127.0.0.1:0-9",
        "dns:127.0.0.1",
        "dns:",
        "dns:a.*.org",
    ];
    for wrong in wrong {
        assert!(wrong.parse::<NetworkGrant>().is_err(), "{wrong}");
    }
}
