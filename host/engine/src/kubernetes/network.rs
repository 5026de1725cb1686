//! The NetworkPolicies of a run: the edges of its graph, and nothing else.
//!
//! They are a second line: only some networks enforce them. What keeps calls out that no edge allows is the callee's host.

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use lp_base::plan::NodePlan;

use super::COORDINATOR_PORT;
use super::names::{COORDINATOR, Names};
use super::submission::{Object, Submission};
use crate::units::Group;

/// The ports of DNS: some clusters' Pods answer at the other one. Which Pods those are differs too, so any may be asked.
const DNS_PORTS: [u16; 2] = [53, 5353];

/// One policy for each group, and one for the coordinator.
pub(super) fn policies(submission: &Submission<'_>, names: &Names, groups: &[Group]) -> Vec<Object> {
    let labels: Vec<_> = (0..).zip(groups).map(|(number, group)| Names::group(number, &group.name)).collect();
    let peers = |places: &mut dyn Iterator<Item = usize>| -> Vec<_> {
        places.map(|place| pods(names, Some(&labels[place]))).collect()
    };
    let of_group = |(place, group): (usize, &Group)| {
        let nodes = || group.nodes.iter().map(|&node| submission.plan.node(node));
        let mut callers = (0..groups.len()).filter(|&caller| groups[caller].callees.contains(&place));
        let mut ingress = Vec::new();
        // A rule without peers would let in everybody.
        let callers = peers(&mut callers);
        if !callers.is_empty() {
            ingress.push(NetworkPolicyIngressRule { from: Some(callers), ports: Some(vec![any_tcp()]) });
        }
        let listening: Vec<_> = nodes().filter_map(|node| node.listen).map(|address| tcp(address.port())).collect();
        if !listening.is_empty() {
            ingress.push(NetworkPolicyIngressRule { from: None, ports: Some(listening) });
        }
        let coordinator = NetworkPolicyEgressRule {
            ports: Some(vec![tcp(COORDINATOR_PORT)]),
            to: Some(vec![pods(names, Some(COORDINATOR))]),
        };
        let mut egress = vec![dns(), coordinator];
        let callees = peers(&mut group.callees.iter().copied());
        if !callees.is_empty() {
            egress.push(NetworkPolicyEgressRule { ports: Some(vec![any_tcp()]), to: Some(callees) });
        }
        if nodes().any(reaches_out) {
            let everywhere = ["0.0.0.0/0", "::/0"].map(anywhere);
            egress.push(NetworkPolicyEgressRule { ports: None, to: Some(everywhere.into()) });
        }
        policy(submission, names, &labels[place], ingress, egress)
    };
    // Whoever belongs to the run may come to the coordinator, and its key decides.
    let from_units =
        NetworkPolicyIngressRule { from: Some(vec![pods(names, None)]), ports: Some(vec![tcp(COORDINATOR_PORT)]) };
    let coordinator = policy(submission, names, COORDINATOR, vec![from_units], vec![dns()]);
    std::iter::once(coordinator).chain(groups.iter().enumerate().map(of_group)).collect()
}

/// Whether a node is granted anything beyond the program. Policies know no names, so that its Pods may then reach any address;
/// the sandbox keeps to what is granted.
fn reaches_out(node: &NodePlan) -> bool {
    !node.sandbox.network.is_empty() || !node.sandbox.http.is_empty()
}

fn policy(
    submission: &Submission<'_>,
    names: &Names,
    group: &str,
    ingress: Vec<NetworkPolicyIngressRule>,
    egress: Vec<NetworkPolicyEgressRule>,
) -> Object {
    let name = names.job(group);
    let policy = NetworkPolicy {
        metadata: names.meta(&name, &submission.settings.namespace, Some(group)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(names.selector(Some(group))),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(ingress),
            egress: Some(egress),
        }),
    };
    Object::of(&name, &policy)
}

fn pods(names: &Names, group: Option<&str>) -> NetworkPolicyPeer {
    NetworkPolicyPeer { pod_selector: Some(names.selector(group)), ..NetworkPolicyPeer::default() }
}

fn anywhere(cidr: &str) -> NetworkPolicyPeer {
    let block = IPBlock { cidr: cidr.to_owned(), except: None };
    NetworkPolicyPeer { ip_block: Some(block), ..NetworkPolicyPeer::default() }
}

fn tcp(port: u16) -> NetworkPolicyPort {
    NetworkPolicyPort { port: Some(IntOrString::Int(port.into())), protocol: Some("TCP".to_owned()), end_port: None }
}

fn dns() -> NetworkPolicyEgressRule {
    let of_port = |port| [NetworkPolicyPort { protocol: Some("UDP".to_owned()), ..tcp(port) }, tcp(port)];
    NetworkPolicyEgressRule { ports: Some(DNS_PORTS.into_iter().flat_map(of_port).collect()), to: None }
}

/// Workers listen at ports that they pick.
fn any_tcp() -> NetworkPolicyPort {
    NetworkPolicyPort { port: None, protocol: Some("TCP".to_owned()), end_port: None }
}
