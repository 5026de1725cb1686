//! Guests that use addresses and names that they were not given.

use super::Attack;

/// Has `guest` try something; the user is told of it by `denial`.
#[track_caller]
fn check(guest: &str, settings: &str, denial: &str) {
    let line = format!("lp-host     │ denied: `hostile/0` tried to {denial} (allow it with `sandbox.network`)");
    let cause = format!("it was not allowed to {denial}");
    Attack::new(guest).settings(settings).stderr(&line).stderr(&cause).check();
}

#[test]
fn nobody_connects_without_a_grant() {
    check("connect_tcp", "args = ['127.0.0.1:22']", "connect to 127.0.0.1:22");
    check("connect_tcp", "args = ['[::1]:22']", "connect to [::1]:22");
    let settings = "args = ['127.0.0.1:22']\nsandbox = { network = ['tcp-connect:127.0.0.1:80', 'udp:*:*', 'dns:*'] }";
    check("connect_tcp", settings, "connect to 127.0.0.1:22");
}

#[test]
fn nobody_listens_without_a_grant() {
    check("listen_tcp", "args = ['127.0.0.1:0']", "bind a TCP socket to 127.0.0.1:0");
    // A socket may be bound so before it connects, but not listen for that.
    let settings = "args = ['0.0.0.0:0']\nsandbox = { network = ['tcp-connect:*:*'] }";
    Attack::new("listen_tcp").settings(settings).stderr("tried to listen at 0.0.0.0:").check();
    let settings = "args = ['127.0.0.1:8099']\nsandbox = { network = ['tcp-listen:127.0.0.1:0'] }";
    check("listen_tcp", settings, "bind a TCP socket to 127.0.0.1:8099");
}

#[test]
fn nobody_sends_datagrams_without_a_grant() {
    check("send_udp", "args = ['127.0.0.1:0', '127.0.0.1:53']", "bind a UDP socket to 127.0.0.1:0");
    let settings = "args = ['0.0.0.0:0', '127.0.0.1:53']\nsandbox = { network = ['udp:127.0.0.1:54'] }";
    check("send_udp", settings, "send a datagram to 127.0.0.1:53");
}

#[test]
fn nobody_looks_up_a_name_without_a_grant() {
    check("look_up_name", "args = ['secrets.example.com']", "look up `secrets.example.com`");
    let granted = "sandbox = { network = ['dns:*.example.org', 'dns:example.net', 'tcp-connect:*:*'] }";
    let tries = [
        ("Secrets.Example.Com.", "secrets.example.com"),
        ("example.org", "example.org"),
        ("evil-example.org", "evil-example.org"),
        ("a.example.net", "a.example.net"),
    ];
    for (name, told) in tries {
        check("look_up_name", &format!("args = ['{name}']\n{granted}"), &format!("look up `{told}`"));
    }
}

#[test]
fn wasi_0_3_has_the_same_walls() {
    let tries = [
        ("connect", "127.0.0.1:22", "connect to 127.0.0.1:22"),
        ("listen", "127.0.0.1:0", "bind a TCP socket to 127.0.0.1:0"),
        ("send", "127.0.0.1:53", "send a datagram to 127.0.0.1:53"),
        ("look-up", "secrets.example.com", "look up `secrets.example.com`"),
    ];
    for (verb, target, denial) in tries {
        check("hostile_async", &format!("args = ['{verb}', '{target}']"), denial);
    }
}
