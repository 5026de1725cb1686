//! Grants of HTTP requests: a scheme, the hosts it is granted for, and a port.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::host::{BadHost, Host, HostPattern};

/// One grant of a node's `http`, such as `https://*.example.org`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpGrant {
    scheme: Scheme,
    host: HostPattern,
    /// `None` for all.
    port: Option<u16>,
}

/// Where a request goes: all that a grant is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpOrigin {
    scheme: Scheme,
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

/// Why a text is no [`HttpGrant`] or a URI has no [`HttpOrigin`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHttpGrant {
    /// The scheme is missing or another one.
    #[error("it begins with neither `https://` nor `http://`")]
    Scheme,
    /// There is more than an origin.
    #[error("it has more than a scheme, a host and a port")]
    TooMuch,
    /// The host is none.
    #[error(transparent)]
    Host(#[from] BadHost),
    /// The port is none.
    #[error("`{0}` is not a port")]
    Port(String),
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }

    fn of(name: &str) -> Result<Scheme, BadHttpGrant> {
        match name.to_ascii_lowercase().as_str() {
            "http" => Ok(Scheme::Http),
            "https" => Ok(Scheme::Https),
            _ => Err(BadHttpGrant::Scheme),
        }
    }
}

impl HttpOrigin {
    /// The origin of a request by the scheme and the authority of its URI. One with user information has none: what it is
    /// for is to make `https://granted@elsewhere` look like something else.
    pub fn new(scheme: &str, authority: &str) -> Result<HttpOrigin, BadHttpGrant> {
        let scheme = Scheme::of(scheme)?;
        let (host, port) = split(authority)?;
        let port = port.map_or(Ok(scheme.port()), parse_port)?;
        Ok(HttpOrigin { scheme, host: host.parse()?, port })
    }

    /// Whether the request is to be encrypted.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The host, in the spelling in which it was judged.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of a `Host` header.
    pub fn authority(&self) -> String {
        let HttpOrigin { scheme, host, port } = self;
        if *port == scheme.port() { host.to_string() } else { format!("{host}:{port}") }
    }
}

impl HttpGrant {
    /// Whether it grants every request that `other` grants.
    pub fn covers(&self, other: &HttpGrant) -> bool {
        self.scheme == other.scheme && self.host.covers(&other.host) && (self.port.is_none() || self.port == other.port)
    }

    /// Whether it grants requests to any host.
    pub fn is_any_host(&self) -> bool {
        self.host == HostPattern::Any
    }

    /// Whether it grants requests to there.
    pub fn allows(&self, origin: &HttpOrigin) -> bool {
        self.scheme == origin.scheme
            && self.host.matches(&origin.host)
            && self.port.is_none_or(|port| port == origin.port)
    }
}

/// The host and the port of an authority.
fn split(authority: &str) -> Result<(&str, Option<&str>), BadHttpGrant> {
    if authority.contains(['@', '/', '?', '#', '\\']) {
        return Err(BadHttpGrant::TooMuch);
    }
    // The colons of an IPv6 address are within its brackets.
    let after_address = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    match authority[after_address..].find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(after_address + colon);
            Ok((host, Some(&port[1..])))
        }
        None => Ok((authority, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, BadHttpGrant> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| is_number && *port != 0);
    port.ok_or_else(|| BadHttpGrant::Port(text.to_owned()))
}

impl FromStr for HttpGrant {
    type Err = BadHttpGrant;

    fn from_str(text: &str) -> Result<HttpGrant, BadHttpGrant> {
        let (scheme, authority) = text.split_once("://").ok_or(BadHttpGrant::Scheme)?;
        let scheme = Scheme::of(scheme)?;
        let (host, port) = split(authority)?;
        let port = match port {
            None => Some(scheme.port()),
            Some("*") => None,
            Some(port) => Some(parse_port(port)?),
        };
        Ok(HttpGrant { scheme, host: host.parse()?, port })
    }
}

impl fmt::Display for HttpOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.authority())
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.host)?;
        match self.port {
            None => f.write_str(":*"),
            Some(port) if port == self.scheme.port() => Ok(()),
            Some(port) => write!(f, ":{port}"),
        }
    }
}

impl From<HttpGrant> for String {
    fn from(grant: HttpGrant) -> String {
        grant.to_string()
    }
}

impl TryFrom<String> for HttpGrant {
    type Error = BadHttpGrant;

    fn try_from(text: String) -> Result<HttpGrant, BadHttpGrant> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(grant: &str, allowed: &[(&str, &str)], denied: &[(&str, &str)]) {
        let parsed: HttpGrant = grant.parse().expect("a grant");
        assert_eq!(parsed.to_string(), grant);
        let allows = |(scheme, authority): &(&str, &str)| {
            HttpOrigin::new(scheme, authority).is_ok_and(|origin| parsed.allows(&origin))
        };
        allowed.iter().for_each(|uri| assert!(allows(uri), "{grant} denies {uri:?}"));
        denied.iter().for_each(|uri| assert!(!allows(uri), "{grant} allows {uri:?}"));
    }

    #[test]
    fn scheme_host_and_port_must_all_fit() {
        let api = "api.example.org";
        check("https://api.example.org", &[("https", api), ("HTTPS", "API.example.org.:443")], &[("http", api)]);
        check("https://api.example.org", &[], &[("https", "api.example.org:8443"), ("https", "example.org")]);
        check(
            "http://127.0.0.1:8080",
            &[("http", "0x7f.1:8080"), ("http", "[::ffff:127.0.0.1]:8080")],
            &[("http", "127.0.0.1")],
        );
        check("https://*.example.org:*", &[("https", "a.example.org:1")], &[("https", "example.org:1")]);
        check("http://[::1]", &[("http", "[0::1]:80")], &[("http", "127.0.0.1")]);
    }

    #[test]
    fn a_grant_covers_another_one_in_scheme_host_and_port() {
        let covers = |a: &str, b: &str| {
            let parse = |text: &str| text.parse::<HttpGrant>().expect("a grant");
            parse(a).covers(&parse(b))
        };
        assert!(covers("https://*.a.org:*", "https://b.a.org:8443"));
        assert!(covers("https://a.org", "https://a.org:443"));
        assert!(!covers("https://a.org", "http://a.org"));
        assert!(!covers("https://a.org", "https://a.org:*"));
        assert!(!covers("https://a.org", "https://*:443"));
    }

    #[test]
    fn nothing_but_the_authority_is_judged() {
        let tricks = [
            "api.example.org@evil.net",
            "api.example.org:80@evil.net",
            "evil.net#api.example.org",
            "evil.net\\.example.org",
        ];
        for trick in tricks {
            check("https://*.example.org:*", &[], &[("https", trick)]);
            check("https://api.example.org", &[], &[("https", trick)]);
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        let wrong = [
            "",
            "api.example.org",
            "ftp://a",
            "https://",
            "https://a/b",
            "https://a@b",
            "https://a:0",
            "https://a:x",
            "https://::1",
        ];
        for wrong in wrong {
            assert!(wrong.parse::<HttpGrant>().is_err(), "{wrong}");
        }
    }
}
