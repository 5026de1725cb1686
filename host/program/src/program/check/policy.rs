//! The rules of an operator's policy: a program asks for nothing that the policy does not allow.

use std::fmt::Display;
use std::path::Path;

use lp_base::words::{Access, Limit, Sandbox, SecretSource, format_bytes};

use super::NodeCheck;
use crate::program::problem::{Problem, Problems};
use crate::program::source::{NodePlace, Place};
use crate::program::{Node, Policy, Program};

/// Checks what all replicas have together.
pub(super) fn check_totals(program: &Program, problems: &mut Problems) {
    let replicas = |node: &Node| u64::from(node.replicas);
    let total: u64 = program.nodes.iter().map(replicas).sum();
    let exceeded = |what: String, allowed: String| {
        let problem = Problem::error(
            "over-ceiling",
            format!("the program has {what}, but the operator's policy allows {allowed}"),
        );
        let span = program.source.span(&Place::ProgramName);
        problem.at(span, "all nodes together").help("give nodes fewer `replicas`, or less `memory`".to_owned())
    };
    if let Some(max) = program.policy.replicas_max.filter(|max| *max < total) {
        problems.push(exceeded(format!("{total} replicas"), max.to_string()));
    }
    let memory = |node: &Node| {
        let each = program.limit(node, Limit::Memory).unwrap_or(u64::MAX);
        each.saturating_mul(replicas(node))
    };
    let total = program.nodes.iter().map(memory).fold(0, u64::saturating_add);
    if let Some(max) = program.policy.memory_bytes_max.filter(|max| *max < total) {
        problems.push(exceeded(format!("{} of `memory`", format_bytes(total)), format_bytes(max)));
    }
}

/// Checks the directories and files that a node is granted, and the files of its secrets, which are in `sandbox` with their links followed: exactly
/// those that it gets, so that no link can lead elsewhere later.
pub(in crate::program) fn check_paths(program: &Program, node: &Node, sandbox: &Sandbox, problems: &mut Problems) {
    // What follows from a first mistake, such as a directory that is missing, is noise.
    if problems.is_node_broken(&node.name) {
        return;
    }
    let mut check = |path: &Path, access: Access, place: NodePlace| {
        let problem = path_problem(program, node, path, access);
        let span = program.source.node_span(&node.name, place);
        problem.into_iter().for_each(|problem| problems.push_node(&node.name, problem.at(span.clone(), "not allowed")));
    };
    for (index, dir) in sandbox.dirs.iter().enumerate() {
        check(&dir.host, dir.access, NodePlace::DirHost(index));
    }
    for (index, file) in sandbox.files.iter().enumerate() {
        check(&file.host, file.access, NodePlace::FileHost(index));
    }
    if let Some(checkpoint) = node.replay.as_ref().and_then(|replay| replay.checkpoint.as_ref()) {
        check(&checkpoint.dir, Access::ReadWrite, NodePlace::Checkpoint);
        checkpoint.fallback.iter().for_each(|path| check(path, Access::Read, NodePlace::Fallback));
    }
    for (name, source) in &sandbox.secrets {
        if let SecretSource::File(path) = source {
            check(path, Access::Read, NodePlace::Secret(name.clone()));
        }
    }
}

fn path_problem(program: &Program, node: &Node, path: &Path, access: Access) -> Option<Problem> {
    let outside = |roots: &Option<Vec<_>>| roots.as_ref().is_some_and(|roots| !Policy::is_below(roots, path));
    let Policy { dirs, writable_dirs, .. } = &program.policy;
    let (what, key, roots) = if outside(dirs) {
        ("", "dirs", dirs)
    } else if access == Access::ReadWrite && outside(writable_dirs) {
        (" for writing", "writable-dirs", writable_dirs)
    } else {
        return None;
    };
    let roots = roots.iter().flatten().map(|root| root.display());
    Some(forbidden(node, &format!("the path `{}`{what}", path.display()), key, roots))
}

/// A problem that names the line of the policy.
fn forbidden(node: &Node, what: &str, key: &str, allowed: impl Iterator<Item = impl Display>) -> Problem {
    let allowed: Vec<_> = allowed.map(|allowed| format!("{:?}", allowed.to_string())).collect();
    let message = format!("the operator's policy does not allow `{}` {what}", node.name);
    Problem::error("forbidden", message).help(format!("the policy has `allow.{key} = [{}]`", allowed.join(", ")))
}

impl NodeCheck<'_> {
    pub(super) fn policy(&mut self) {
        if self.problems.is_node_broken(&self.node.name) {
            return;
        }
        let (node, policy) = (self.node, &self.program.policy);
        if policy.requires_sha256 && node.sha256.is_none() && node.replay.is_none() {
            let message = format!("the operator's policy asks for the digest of the component of `{}`", node.name);
            let help = "`lp-host lock` writes the `sha256` of every component into the program file".to_owned();
            let problem = Problem::error("forbidden", message).at(self.span(NodePlace::Component), "has no `sha256`");
            self.report([problem.help(help)]);
        }
        if policy.forbids_build && node.build.is_some() {
            let message = format!("the operator's policy does not allow `{}` a `build` line", node.name);
            let help = format!("`--set nodes.{}.build=null` leaves it out", node.name);
            let problem = Problem::error("forbidden", message).at(self.span(NodePlace::Build), "not allowed");
            self.report([problem.help(help)]);
        }
        if let (Some(address), Some(allowed)) = (node.listen, &policy.listen)
            && !allowed.iter().any(|addresses| addresses.contain(address))
        {
            let problem = forbidden(node, &format!("to listen at `{address}`"), "listen", allowed.iter());
            self.report([problem.at(self.span(NodePlace::Listen), "not allowed")]);
        }
        if let Some(allowed) = &policy.network {
            self.grants(&node.sandbox.network, allowed, "network", NodePlace::Network, |a, b| a.covers(b));
        }
        if let Some(allowed) = &policy.http {
            self.grants(&node.sandbox.http, allowed, "http", NodePlace::Http, |a, b| a.covers(b));
        }
        self.variables();
    }

    fn grants<G: Display>(
        &mut self,
        granted: &[G],
        allowed: &[G],
        key: &str,
        place: fn(usize) -> NodePlace,
        covers: fn(&G, &G) -> bool,
    ) {
        for (index, grant) in granted.iter().enumerate() {
            if !allowed.iter().any(|allowed| covers(allowed, grant)) {
                let problem = forbidden(self.node, &format!("the grant `{grant}`"), key, allowed.iter());
                self.report([problem.at(self.span(place(index)), "not allowed")]);
            }
        }
    }

    /// Checks what a node gets of the environment of whoever runs the program, and its secrets.
    fn variables(&mut self) {
        let (node, policy) = (self.node, &self.program.policy);
        let inherited = node.sandbox.inherit_env.iter().enumerate();
        let mut variables: Vec<_> = inherited.map(|(index, name)| (name, NodePlace::InheritEnv(index))).collect();
        for (name, source) in &node.sandbox.secrets {
            let place = NodePlace::Secret(name.clone());
            if policy.forbids_secrets {
                let message = format!("the operator's policy does not allow `{}` the secret `{name}`", node.name);
                let help = "the policy has `allow.secrets = false`".to_owned();
                self.report([Problem::error("forbidden", message).at(self.span(place), "not allowed").help(help)]);
            } else if let SecretSource::Env(variable) = source {
                variables.push((variable, place));
            }
        }
        let Some(allowed) = &policy.inherit_env else { return };
        for (variable, place) in variables.into_iter().filter(|(variable, _)| !allowed.contains(variable)) {
            let problem = forbidden(node, &format!("the variable `{variable}`"), "inherit-env", allowed.iter());
            self.report([problem.at(self.span(place), "not allowed")]);
        }
    }
}
