//! Grants of sockets: a use, the addresses it is granted for, and their ports.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::host::{BadHost, Host, HostPattern};

/// One grant of a node's `network`.
///
/// ```
/// use lp_base::words::{NetworkGrant, NetworkUse};
///
/// let grant: NetworkGrant = "tcp-connect:10.0.0.0/8:5432".parse().expect("a grant");
/// assert!(grant.allows(NetworkUse::TcpConnect, "10.1.2.3:5432".parse().expect("an address")));
/// assert!(!grant.allows(NetworkUse::TcpConnect, "10.1.2.3:80".parse().expect("an address")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NetworkGrant {
    /// The use of addresses.
    Socket(NetworkUse, Addresses),
    /// The lookup of names.
    Dns(HostPattern),
}

/// What sockets are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkUse {
    /// To connect to an address.
    TcpConnect,
    /// To listen at an address.
    TcpListen,
    /// To send datagrams to an address and receive those that come from it.
    Udp,
    /// To send and receive datagrams at an address.
    UdpBind,
}

/// Addresses and their ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The addresses; `None` for all.
    net: Option<IpNet>,
    ports: RangeInclusive<u16>,
}

/// Why a text is no [`NetworkGrant`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadNetworkGrant {
    /// It does not begin with a use.
    #[error("it begins with none of `tcp-connect:`, `tcp-listen:`, `udp:`, `udp-bind:` and `dns:`")]
    Use,
    /// There is no port.
    #[error("it has no port; write `*` for all of them")]
    NoPort,
    /// The port is neither one nor a range.
    #[error("`{0}` is not a port, a range such as `8000-8010`, or `*`")]
    Port(String),
    /// Nothing can be reached there.
    #[error("port 0 stands for one that the system picks, which only `tcp-listen` and `udp-bind` can do")]
    PortZero,
    /// The address is neither one nor a network.
    #[error("`{0}` is not an IP address, a network such as `10.0.0.0/8`, or `*`; IPv6 is written in brackets")]
    Address(String),
    /// The network has bits after its prefix.
    #[error("`{0}` is an address in the network `{1}`")]
    NotNet(String, IpNet),
    /// It is IPv4, written as IPv6.
    #[error("`{0}` is an IPv4 address, which is judged as one")]
    Mapped(String),
    /// The name is none.
    #[error(transparent)]
    Name(#[from] BadHost),
    /// An address needs no lookup.
    #[error("`{0}` is an address, which needs no lookup")]
    NoName(String),
}

const USES: [(&str, NetworkUse); 4] = [
    ("tcp-connect", NetworkUse::TcpConnect),
    ("tcp-listen", NetworkUse::TcpListen),
    ("udp", NetworkUse::Udp),
    ("udp-bind", NetworkUse::UdpBind),
];

impl NetworkGrant {
    /// Whether it grants all that `other` grants.
    pub fn covers(&self, other: &NetworkGrant) -> bool {
        match (self, other) {
            (NetworkGrant::Socket(used, addresses), NetworkGrant::Socket(other_used, others)) => {
                used == other_used && addresses.cover(others)
            }
            (NetworkGrant::Dns(pattern), NetworkGrant::Dns(other)) => pattern.covers(other),
            _ => false,
        }
    }

    /// Whether it grants any address or any name.
    pub fn is_any_host(&self) -> bool {
        match self {
            NetworkGrant::Socket(_, addresses) => addresses.net.is_none_or(|net| net.prefix_len() == 0),
            NetworkGrant::Dns(pattern) => *pattern == HostPattern::Any,
        }
    }

    /// Whether it grants this use of this address.
    pub fn allows(&self, used: NetworkUse, address: SocketAddr) -> bool {
        matches!(self, NetworkGrant::Socket(granted, addresses) if *granted == used && addresses.contain(address))
    }

    /// Whether it grants that the system picks a port at this address.
    pub fn allows_picked_port(&self, used: NetworkUse, address: IpAddr) -> bool {
        self.allows(used, SocketAddr::new(address, 0))
    }

    /// Whether it grants the lookup of this name.
    pub fn allows_lookup(&self, name: &Host) -> bool {
        matches!(self, NetworkGrant::Dns(pattern) if pattern.matches(name))
    }
}

impl NetworkUse {
    /// The word for it in program files.
    pub fn name(self) -> &'static str {
        let found = USES.iter().find(|(_, used)| *used == self);
        found.expect("every use has a name").0
    }
}

impl Addresses {
    /// Whether the address with its port is among them. An IPv4 address that is written as an IPv6 one is judged as the
    /// IPv4 address.
    pub fn contain(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        self.net.is_none_or(|net| net.contains(&ip)) && self.ports.contains(&address.port())
    }

    /// Whether they contain all of `other`.
    fn cover(&self, other: &Addresses) -> bool {
        let net = match (self.net, other.net) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(net), Some(other)) => net.contains(&other),
        };
        net && self.ports.contains(other.ports.start()) && self.ports.contains(other.ports.end())
    }

    fn parse(text: &str, may_pick: bool) -> Result<Addresses, BadNetworkGrant> {
        let (address, ports) = text.rsplit_once(':').ok_or(BadNetworkGrant::NoPort)?;
        if address.contains('[') && !address.contains(']') {
            return Err(BadNetworkGrant::NoPort);
        }
        let ports = parse_ports(ports).ok_or_else(|| BadNetworkGrant::Port(ports.to_owned()))?;
        if *ports.start() == 0 && *ports.end() != u16::MAX && !(may_pick && *ports.end() == 0) {
            return Err(BadNetworkGrant::PortZero);
        }
        Ok(Addresses { net: parse_net(address)?, ports })
    }
}

fn parse_ports(text: &str) -> Option<RangeInclusive<u16>> {
    if text == "*" {
        return Some(0..=u16::MAX);
    }
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some(first..=last)
}

fn parse_net(text: &str) -> Result<Option<IpNet>, BadNetworkGrant> {
    let bad = || BadNetworkGrant::Address(text.to_owned());
    if text == "*" {
        return Ok(None);
    }
    // `[fd00::]/8` as well as `[::1]`; without brackets, the port could be part of the address.
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(address, prefix)| format!("{address}{prefix}")).ok_or_else(bad)?,
        None if text.contains(':') => return Err(bad()),
        None => text.to_owned(),
    };
    let net: IpNet = match bare.contains('/') {
        true => bare.parse().map_err(|_| bad())?,
        false => bare.parse::<IpAddr>().map_err(|_| bad())?.into(),
    };
    if matches!(net.addr(), IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
        return Err(BadNetworkGrant::Mapped(text.to_owned()));
    }
    if net.trunc() != net {
        return Err(BadNetworkGrant::NotNet(text.to_owned(), net.trunc()));
    }
    Ok(Some(net))
}

impl FromStr for NetworkGrant {
    type Err = BadNetworkGrant;

    fn from_str(text: &str) -> Result<NetworkGrant, BadNetworkGrant> {
        let (used, rest) = text.split_once(':').ok_or(BadNetworkGrant::Use)?;
        if used == "dns" {
            return match rest.parse()? {
                HostPattern::One(Host::Address(_)) => Err(BadNetworkGrant::NoName(rest.to_owned())),
                pattern => Ok(NetworkGrant::Dns(pattern)),
            };
        }
        let (_, used) = USES.iter().find(|(name, _)| *name == used).ok_or(BadNetworkGrant::Use)?;
        let may_pick = matches!(used, NetworkUse::TcpListen | NetworkUse::UdpBind);
        Ok(NetworkGrant::Socket(*used, Addresses::parse(rest, may_pick)?))
    }
}

/// Addresses to listen at, such as `127.0.0.1:*`.
impl FromStr for Addresses {
    type Err = BadNetworkGrant;

    fn from_str(text: &str) -> Result<Addresses, BadNetworkGrant> {
        Addresses::parse(text, true)
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.net {
            None => f.write_str("*")?,
            Some(net) if net.prefix_len() == net.max_prefix_len() => Host::Address(net.addr()).fmt(f)?,
            Some(net) => write!(f, "{}/{}", Host::Address(net.addr()), net.prefix_len())?,
        }
        match (*self.ports.start(), *self.ports.end()) {
            (0, u16::MAX) => f.write_str(":*"),
            (first, last) if first == last => write!(f, ":{first}"),
            (first, last) => write!(f, ":{first}-{last}"),
        }
    }
}

impl fmt::Display for NetworkGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetworkGrant::Socket(used, addresses) => write!(f, "{}:{addresses}", used.name()),
            NetworkGrant::Dns(pattern) => write!(f, "dns:{pattern}"),
        }
    }
}

impl From<NetworkGrant> for String {
    fn from(grant: NetworkGrant) -> String {
        grant.to_string()
    }
}

impl TryFrom<String> for NetworkGrant {
    type Error = BadNetworkGrant;

    fn try_from(text: String) -> Result<NetworkGrant, BadNetworkGrant> {
        text.parse()
    }
}

#[cfg(test)]
mod tests;
