//! How a launcher and the agents of its hosts know each other, and what they say.
//!
//! Trust is that of ssh: both ends have a key of their own, and each knows the other one by the fingerprint of its key. There
//! are no authorities and no names. Above that is HTTP/2, with a request for each thing that is asked for; see [`protocol`].
//! Over ssh itself ([`ssh`]), the same requests go through the standard streams of an agent, and there are no keys.

#![cfg_attr(
    not(test),
    deny(clippy::disallowed_methods, clippy::disallowed_types, reason = "a run can be simulated: see `scheduler`")
)]

pub mod arrivals;
pub mod body;
pub mod client;
pub mod handshakes;
pub mod hosts;
pub mod key;
pub mod placement;
pub mod protocol;
pub mod socket;
pub mod ssh;
pub mod tls;
