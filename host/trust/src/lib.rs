//! By what the workers of a run know each other where they are on several hosts.
//!
//! * [`RunAuthority`]: the certificate authority of one run, which is nowhere but in the memory of the launcher
//! * [`WorkerTls`]: what one worker, or the launcher, has of it, and the configurations of TLS that follow
//!
//! Keys are the one exception from the rule that random numbers come through a
//! [`Scheduler`](lp_base::scheduler::Scheduler): aws-lc-rs draws them from the operating system, within this process, and
//! takes no other source. No simulated run has any, since it has no sockets.

#![cfg_attr(
    not(test),
    deny(clippy::disallowed_methods, clippy::disallowed_types, reason = "a run can be simulated: see `scheduler`")
)]

mod authority;
mod tls;

pub use authority::{Identity, NoAuthority, RunAuthority, WorkerTls};
pub use tls::{ALPN, BadTls, server_name};
