//! What this machine and account lack for programs on Kubernetes.

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{Api, PostParams};

use super::api::{ApiError, Cluster};
use crate::cli::screen::Screen;

/// What launches and what follows them do: the group, the resource, its subresource, and the verbs.
const RIGHTS: &[(&str, &str, Option<&str>, &[&str])] = &[
    ("", "configmaps", None, &["get", "list", "create", "patch", "delete"]),
    ("", "secrets", None, &["create", "patch"]),
    ("", "services", None, &["create", "patch"]),
    ("batch", "jobs", None, &["get", "create", "patch"]),
    ("networking.k8s.io", "networkpolicies", None, &["create", "patch"]),
    ("", "pods", None, &["get", "list", "watch", "delete"]),
    ("", "pods", Some("log"), &["get"]),
];

/// What was looked at, with what is missing and what fixes it, if anything is.
pub(in crate::cli) type Finding = (&'static str, Option<(String, String)>);

/// Looks at everything that a launch needs.
pub(in crate::cli) async fn findings(screen: &Screen) -> Vec<Finding> {
    let image = match std::env::var_os("LP_HOST_IMAGE").is_some_and(|image| !image.is_empty()) {
        true => None,
        false => Some((
            "`LP_HOST_IMAGE` names none".to_owned(),
            "`lp-host image`, push it, and set it or say `--image`".to_owned(),
        )),
    };
    let cluster = match Cluster::connect(None, screen).await {
        Ok(cluster) => cluster,
        Err(error) => {
            let missing = (error.text(), "name a kubeconfig by `KUBECONFIG`, as for kubectl".to_owned());
            return vec![("kubeconfig", Some(missing)), ("image", image)];
        }
    };
    let version = cluster.counts_by_index().await.err();
    let is_reached = version.is_none();
    let version = version.map(|error| (error.text(), "`kubectl version` must work, and show 1.27 or later".to_owned()));
    let mut findings = vec![("kubeconfig", None), ("API server", version), ("image", image)];
    if is_reached {
        findings.push(("rights", rights(&cluster).await));
    }
    findings
}

/// What this account may not do in the namespace.
async fn rights(cluster: &Cluster) -> Option<(String, String)> {
    let asked = RIGHTS.iter().flat_map(|right| right.3.iter().map(move |verb| (right, *verb)));
    let answers = join_all(asked.map(|(right, verb)| is_allowed(cluster, right, verb))).await;
    let (mut denied, mut silent) = (Vec::new(), None);
    for answer in answers {
        match answer {
            Ok(None) => {}
            Ok(Some(what)) => denied.push(what),
            Err(error) => silent = Some(error),
        }
    }
    let mend = format!("have the Role of docs/kubernetes.md bound to you in `{}`", cluster.namespace);
    match (denied.is_empty(), silent) {
        (true, None) => None,
        (true, Some(error)) => Some((error.to_string(), "`kubectl auth can-i --list` must work".to_owned())),
        (false, _) => Some((format!("you may not {}", denied.join(", ")), mend)),
    }
}

/// What is not allowed, if it is not.
async fn is_allowed(
    cluster: &Cluster,
    (group, resource, part, _): &(&str, &str, Option<&str>, &[&str]),
    verb: &str,
) -> Result<Option<String>, ApiError> {
    let attributes = ResourceAttributes {
        group: Some((*group).to_owned()),
        namespace: Some(cluster.namespace.clone()),
        resource: Some((*resource).to_owned()),
        subresource: part.map(str::to_owned),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), non_resource_attributes: None },
        ..SelfSubjectAccessReview::default()
    };
    let (api, params) = (Api::all(cluster.client.clone()), PostParams::default());
    let answer = cluster.ask("your rights", || api.create(&params, &review)).await?;
    let is_allowed = answer.status.is_some_and(|status| status.allowed);
    let shown = part.map_or_else(|| (*resource).to_owned(), |part| format!("{resource}/{part}"));
    Ok((!is_allowed).then(|| format!("{verb} {shown}")))
}
