//! Hosts as URLs and name lookups write them, and patterns of hosts, all in one spelling so that equal ones are equal.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A host: a name in lower case and ASCII without a dot at its end, or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name, such as `api.example.org`.
    Name(String),
    /// An address; an IPv4 address that was written as an IPv6 one is an IPv4 address.
    Address(IpAddr),
}

/// Which hosts are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// `*`
    Any,
    /// `*.example.org`: any name that ends so, without `example.org` itself.
    Below(String),
    /// One host.
    One(Host),
}

/// Why a text is no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a host: a name, an IPv4 address, an IPv6 address in brackets, `*.` and a name, or `*`")]
pub struct BadHost(String);

impl FromStr for Host {
    type Err = BadHost;

    /// Reads a host as browsers do: `0x7f.1` is an address, and a name of other letters is put into ASCII.
    fn from_str(text: &str) -> Result<Host, BadHost> {
        let bad = || BadHost(text.to_owned());
        let bare = text.strip_suffix('.').unwrap_or(text);
        match url::Host::parse(bare).map_err(|_| bad())? {
            url::Host::Domain(name) if name.is_empty() || name.ends_with('.') => Err(bad()),
            url::Host::Domain(name) => Ok(Host::Name(name)),
            url::Host::Ipv4(address) => Ok(Host::Address(address.into())),
            url::Host::Ipv6(address) => Ok(Host::Address(IpAddr::from(address).to_canonical())),
        }
    }
}

impl HostPattern {
    /// Whether `host` is among those that are meant.
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (HostPattern::Any, _) => true,
            (HostPattern::Below(parent), Host::Name(name)) => {
                name.strip_suffix(parent.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            (HostPattern::Below(_), Host::Address(_)) => false,
            (HostPattern::One(one), host) => one == host,
        }
    }

    /// Whether it means every host that `other` means.
    pub fn covers(&self, other: &HostPattern) -> bool {
        match (self, other) {
            (HostPattern::Any, _) => true,
            (_, HostPattern::Any) => false,
            (_, HostPattern::One(host)) => self.matches(host),
            (HostPattern::Below(parent), HostPattern::Below(name)) => {
                parent == name || self.matches(&Host::Name(name.clone()))
            }
            (HostPattern::One(_), HostPattern::Below(_)) => false,
        }
    }
}

impl FromStr for HostPattern {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<HostPattern, BadHost> {
        if text == "*" {
            return Ok(HostPattern::Any);
        }
        let Some(parent) = text.strip_prefix("*.") else {
            let host = text.parse()?;
            let has_star = matches!(&host, Host::Name(name) if name.contains('*'));
            return if has_star { Err(BadHost(text.to_owned())) } else { Ok(HostPattern::One(host)) };
        };
        match parent.parse() {
            Ok(Host::Name(parent)) if !parent.contains('*') => Ok(HostPattern::Below(parent)),
            _ => Err(BadHost(text.to_owned())),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => address.fmt(f),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Any => f.write_str("*"),
            HostPattern::Below(parent) => write!(f, "*.{parent}"),
            HostPattern::One(host) => host.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let pattern: HostPattern = pattern.parse().expect("a pattern");
        let matches = |host: &str| pattern.matches(&host.parse().expect("a host"));
        matching.iter().for_each(|host| assert!(matches(host), "{host}"));
        others.iter().for_each(|host| assert!(!matches(host), "{host}"));
    }

    #[test]
    fn a_host_is_the_same_however_it_is_written() {
        check("example.org", &["example.org", "EXAMPLE.org", "example.org.", "ex%61mple.org"], &["a.example.org"]);
        check("127.0.0.1", &["127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "[::ffff:127.0.0.1]"], &["127.0.0.2"]);
        check("[::1]", &["[::1]", "[0:0:0:0:0:0:0:1]"], &["127.0.0.1", "[::2]"]);
        check("bücher.example", &["xn--bcher-kva.example", "BÜCHER.example"], &["bucher.example"]);
    }

    #[test]
    fn a_suffix_is_one_of_whole_labels_below_it() {
        check("*.example.org", &["a.example.org", "a.b.example.org", "A.EXAMPLE.ORG."], &["example.org"]);
        check("*.example.org", &[], &["badexample.org", "example.org.evil.net", "127.0.0.1", "[::1]"]);
        check("*", &["example.org", "127.0.0.1"], &[]);
    }

    #[test]
    fn a_pattern_covers_another_one_if_it_means_all_of_its_hosts() {
        let covers = |a: &str, b: &str| {
            let parse = |text: &str| text.parse::<HostPattern>().expect("a pattern");
            parse(a).covers(&parse(b))
        };
        for (a, b) in [("*", "*"), ("*", "a.org"), ("*.org", "*.a.org"), ("*.a.org", "*.a.org"), ("a.org", "A.org.")] {
            assert!(covers(a, b), "{a} {b}");
        }
        for (a, b) in
            [("*.org", "*"), ("*.a.org", "*.org"), ("*.a.org", "a.org"), ("a.org", "*.a.org"), ("*.1.org", "*.11.org")]
        {
            assert!(!covers(a, b), "{a} {b}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for wrong in
            ["", ".", "..", "a b", "a/b", "a@b", "::1", "*example.org", "a.*.org", "*.127.0.0.1", "*.", "1.2.3.4.5"]
        {
            assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
        }
    }
}
