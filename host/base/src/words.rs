//! The words of a program: what is said in the same way in its file, in its plan and where it is enforced.
//!
//! They are plain values that know neither a file format nor what enforces them.

mod admission;
mod colocation;
mod digest;
mod entry_point;
mod handle;
mod hardening;
mod kubernetes;
mod limits;
mod placement;
mod replay;
mod restart;
mod sandbox;
mod slurm;
mod units;

pub use admission::{Admission, AdmissionPlan, BadCertificates, Certificates};
pub use colocation::ColocationMode;
pub use digest::{Digest, NotADigest};
pub use entry_point::RunExport;
pub use handle::{Pick, Retry, WhenFull};
pub use hardening::Hardening;
pub use kubernetes::{
    KubernetesRequest, NotATaint, Taint, is_dns_label, is_kubernetes_key, is_kubernetes_value, parse_cpu,
};
pub(crate) use limits::limit_rows;
pub use limits::{Limit, Limits, MESSAGE_BYTES_MAX, Unit};
pub use placement::{HostChoice, Placement};
pub use replay::{
    AtLimit, Configuration, RateLimiter, Real, Replay, ReplayAccess, ReplayCheckpoint, ReplayTable, Selector,
    SignatureColumn,
};
pub use restart::{RESTARTS_MAX, Restart, RestartPolicy};
pub use sandbox::{
    Access, Addresses, Authorities, BadAuthorities, BadHost, BadHttpGrant, BadNetworkGrant, BadTimestamp, Clock, Host,
    HostPattern, HttpGrant, HttpOrigin, NetworkGrant, NetworkUse, PathGrant, Random, Sandbox, SecretSource, Timestamp,
};
pub use slurm::SlurmRequest;
pub use units::{DurationText, SizeText, format_bytes, format_millis, parse_duration, parse_size};
