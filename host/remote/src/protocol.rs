//! What a launcher and an agent say to each other: requests of HTTP/2, whose bodies are lines of JSON or plain bytes.
//!
//! | request | its body | the answer's body |
//! |---|---|---|
//! | `POST /lease` | a [`LeaseRequest`], then an [`Answer`] for each question | [`Renewal`]s, until the lease ends |
//! | `PUT /component/DIGEST` | the component | none |
//! | `POST /prepare` | a [`Preparation`] | lines of [`Prepared`] |
//! | `POST /worker/INDEX` | the commands of the worker | its reports; the header fields below tell of it, a trailer of its end |
//! | `POST /kill/INDEX` | none | none |
//!
//! All of a connection is one lease: it ends with the connection, and with it all that was started. The answer to anything that
//! is refused has a status of 400 or more, and the reason as text.
//!
//! **Time.** An agent asks for each renewal, and counts the lease from the moment in which it asked. A launcher that answered
//! last at some moment so knows when the lease has ended at the latest: as long after it as a lease lasts. No clocks are compared.

use std::collections::BTreeMap;

use http::HeaderName;
use lp_base::plan::{NodeId, NodePlan, Plan};
use lp_base::words::Digest;
use serde::{Deserialize, Serialize};

/// What both ends have to agree on. It changes with anything in this file, with the plan, and with what workers are told and tell.
pub const PROTOCOL: &str = concat!("3/", env!("CARGO_PKG_VERSION"));

/// The header field with the [`PROTOCOL`] of a launcher.
pub const PROTOCOL_FIELD: HeaderName = HeaderName::from_static("lp-protocol");

/// The header field with a [`WorkerPlace`], in the answer to the start of a worker.
pub const PLACE_FIELD: HeaderName = HeaderName::from_static("lp-worker");

/// The trailer that says how a worker has ended.
pub const END_FIELD: HeaderName = HeaderName::from_static("lp-worker-end");

/// The longest line of JSON, which is that of a plan.
pub const LINE_BYTES_MAX: usize = 64 << 20;

/// The largest component.
pub const COMPONENT_BYTES_MAX: usize = 1 << 30;

/// What a launcher wants of an agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LeaseRequest {
    /// What the run is called by its users.
    pub run: String,
    /// The program, with all its workers.
    pub plan: Plan,
    /// Those that the agent is to start first. Others may follow.
    pub workers: Vec<usize>,
    /// How long the lease lasts if it is not renewed.
    pub lease_ms: u64,
}

/// An agent gives a lease, asks whether the run lives, or ends the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Renewal {
    /// It gives the lease: the first of these.
    Given,
    /// It asks.
    Asked {
        /// The number of the question.
        number: u64,
    },
    /// It ends the lease by itself.
    Over {
        /// Why.
        reason: String,
    },
}

/// A launcher's answer to [`Renewal::Asked`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The number of the question.
    pub number: u64,
}

/// What is to be ready before workers are started, or are ordered to run other components.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preparation {
    /// The workers whose components are to be there and compiled, and whose grants are to be had.
    pub workers: Vec<usize>,
    /// The nodes that have other components than in the plan of the lease, as they are now.
    pub rebuilt: Vec<(NodeId, NodePlan)>,
    /// What the workers are going to do.
    pub purpose: Purpose,
}

/// What a preparation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Workers that are started from here on run the nodes that were rebuilt.
    Start,
    /// Workers that run may be ordered to run them. Those that are started meanwhile run what they did before.
    Rebuild,
}

/// How a preparation goes. The last line is one of [`Prepared::Done`], [`Prepared::Missing`] and [`Prepared::Failed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Prepared {
    /// A component is compiled now.
    Begun {
        /// Which one.
        component: Digest,
        /// Its size.
        bytes_len: u64,
    },
    /// It has been.
    Ended {
        /// Which one.
        component: Digest,
        /// How long that took.
        elapsed_ms: u64,
    },
    /// Components have to be sent first.
    Missing {
        /// Which ones.
        components: Vec<Digest>,
    },
    /// Everything is ready.
    Done,
    /// Something can't be had.
    Failed {
        /// What and why.
        message: String,
    },
}

/// Where a worker runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerPlace {
    /// Where other workers reach it: a name or an address, and a port.
    pub address: String,
    /// Its process.
    pub process: u32,
    /// The addresses at which its nodes listen, by the indices of the nodes.
    pub listening: BTreeMap<u32, String>,
}
