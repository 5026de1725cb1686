//! Plans for tests: nodes that need no component, to be changed where a test says otherwise.

use std::collections::{BTreeMap, BTreeSet};

use lp_base::plan::{ComponentPlan, LaunchType, LimitsPlan, NodeKind, NodePlan, Plan, RestartPlan};
use lp_base::words::{AdmissionPlan, Digest, Hardening, HostChoice, RunExport, Sandbox, SlurmRequest};

/// A component that is never read, with that entry point.
pub fn kind(run: Option<RunExport>) -> NodeKind {
    NodeKind::Component(ComponentPlan { sha256: Digest::of(b""), uses_async: false, run })
}

/// A node with one replica that calls nobody and is granted nothing.
pub fn node(name: &str) -> NodePlan {
    NodePlan {
        name: name.to_owned(),
        kind: kind(None),
        replicas: 1,
        colocation: None,
        couriers: Vec::new(),
        edges: Vec::new(),
        callees: BTreeSet::new(),
        args: Vec::new(),
        env: BTreeMap::new(),
        config: BTreeMap::new(),
        sandbox: Sandbox::default(),
        authorities: None,
        restart: RestartPlan::default(),
        listen: None,
        admission: AdmissionPlan::default(),
        hosts: HostChoice::default(),
        slurm: SlurmRequest::default(),
        kubernetes: lp_base::words::KubernetesRequest::default(),
        limits: LimitsPlan::default(),
    }
}

/// A program of these nodes, without workers.
pub fn plan(nodes: Vec<NodePlan>) -> Plan {
    Plan {
        program: "test".to_owned(),
        launch_type: LaunchType::Threads,
        nodes,
        workers: Vec::new(),
        colocations: Vec::new(),
        grace_ms: 5000,
        message_bytes_max: 1,
        hardening: Hardening::Auto,
        watched: false,
    }
}
