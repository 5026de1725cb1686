//! What the operator of a host allows, beside what programs and their users allow themselves.

use std::fmt::Display;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lp_base::plan::{NodePlan, Plan};
use lp_base::words::{Access, Hardening, Limit, SecretSource, format_bytes};
use lp_program::program::{OperatorPolicy, Policy};

/// What the operator allows to all launchers.
#[derive(Debug, Clone, Default)]
pub struct Ceilings(pub OperatorPolicy);

impl Ceilings {
    /// Everything that a worker of `plan` is granted and can't have here, with its mend. Paths have their links followed.
    pub(crate) fn refusals(&self, plan: &Plan, worker: usize) -> Vec<String> {
        let mut nodes: Vec<_> = plan.workers[worker].replicas.iter().map(|replica| replica.node).collect();
        nodes.sort();
        nodes.dedup();
        let mut refusals: Vec<_> = nodes.into_iter().flat_map(|id| self.of_node(plan.node(id))).collect();
        if self.0.policy.requires_hardening && plan.hardening != Hardening::Require {
            refusals.push("the operator of this host wants `hardening = \"require\"` in the program".to_owned());
        }
        refusals
    }

    fn of_node(&self, node: &NodePlan) -> Vec<String> {
        let mut refusals = Vec::new();
        let sandbox = &node.sandbox;
        for dir in &sandbox.dirs {
            refusals.extend(missing(&dir.host, "directory", dir.host.is_dir(), node));
            refusals.extend(self.path(node, &dir.host, dir.access));
        }
        for file in &sandbox.files {
            refusals.extend(missing(&file.host, "file", file.host.is_file(), node));
            refusals.extend(self.path(node, &file.host, file.access));
        }
        for source in sandbox.secrets.values() {
            if let SecretSource::File(path) = source {
                refusals.extend(self.path(node, path, Access::Read));
            }
        }
        let policy = &self.0.policy;
        let mut forbid = |what: String, key: &str| {
            refusals
                .push(format!("`{}` may not have {what} here: the operator's `{key}` does not allow it", node.name));
        };
        if let Some(allowed) = &policy.network {
            let wrong = outside(&sandbox.network, allowed, |a, b| a.covers(b));
            wrong.for_each(|grant| forbid(format!("`{grant}`"), "allow.network"));
        }
        if let Some(allowed) = &policy.http {
            let wrong = outside(&sandbox.http, allowed, |a, b| a.covers(b));
            wrong.for_each(|grant| forbid(format!("`{grant}`"), "allow.http"));
        }
        if let (Some(address), Some(allowed)) = (node.listen, &policy.listen)
            && !allowed.iter().any(|addresses| addresses.contain(address))
        {
            forbid(format!("`listen = \"{address}\"`"), "allow.listen");
        }
        if let Some(allowed) = &policy.inherit_env {
            let of_secrets = sandbox.secrets.values().filter_map(|source| match source {
                SecretSource::Env(name) => Some(name),
                SecretSource::File(_) => None,
            });
            let wrong = sandbox.inherit_env.iter().chain(of_secrets).filter(|name| !allowed.contains(name));
            wrong.for_each(|name| forbid(format!("the variable `{name}`"), "allow.inherit-env"));
        }
        if policy.forbids_secrets && !sandbox.secrets.is_empty() {
            forbid("secrets".to_owned(), "allow.secrets");
        }
        for (limit, ceiling) in self.0.ceilings.iter() {
            let wanted = node.limits.get(limit);
            if wanted.is_none_or(|wanted| wanted > ceiling) {
                let wanted = wanted.map_or_else(|| "any".to_owned(), |wanted| limit.show(wanted));
                let ceiling = limit.show(ceiling);
                let mend = format!("its `limits` may say `{}` of at most {ceiling}", limit.key());
                refusals.push(format!(
                    "`{}` may have {wanted} of `{}`, and the operator of this host allows {ceiling}: {mend}",
                    node.name,
                    limit.key()
                ));
            }
        }
        refusals
    }

    fn path(&self, node: &NodePlan, path: &Path, access: Access) -> Option<String> {
        let policy = &self.0.policy;
        let is_outside = |roots: &Option<Vec<_>>| roots.as_ref().is_some_and(|roots| !Policy::is_below(roots, path));
        let (path, name) = (path.display(), &node.name);
        if is_outside(&policy.dirs) {
            return Some(format!("`{name}` may not have `{path}` here: the operator's `allow.dirs` does not allow it"));
        }
        (access == Access::ReadWrite && is_outside(&policy.writable_dirs)).then(|| {
            format!("`{name}` may not write to `{path}` here: the operator's `allow.writable-dirs` does not allow it")
        })
    }
}

fn missing(path: &Path, what: &str, is_there: bool, node: &NodePlan) -> Option<String> {
    let (path, name) = (path.display(), &node.name);
    let mend = "make it here, or say by `hosts` where the node may run";
    (!is_there).then(|| format!("`{name}` is granted `{path}`, which is no {what} of this host: {mend}"))
}

fn outside<'a, G: Display>(
    granted: &'a [G],
    allowed: &[G],
    covers: impl Fn(&G, &G) -> bool,
) -> impl Iterator<Item = &'a G> {
    granted.iter().filter(move |grant| !allowed.iter().any(|allowed| covers(allowed, grant)))
}

/// What all leases together have of what the operator allows.
#[derive(Debug)]
pub(crate) struct Totals {
    replicas_max: Option<u64>,
    memory_bytes_max: Option<u64>,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    connections: usize,
    replicas: u64,
    memory_bytes: u64,
}

/// A part of the totals, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    totals: Arc<Totals>,
    used: Used,
}

impl Totals {
    pub fn new(ceilings: &Ceilings) -> Self {
        let policy = &ceilings.0.policy;
        let (replicas_max, memory_bytes_max) = (policy.replicas_max, policy.memory_bytes_max);
        Self { replicas_max, memory_bytes_max, used: Mutex::default() }
    }

    /// Notes a connection.
    pub fn connect(self: &Arc<Self>) -> Share {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        self.take(used, Used { connections: 1, ..Used::default() })
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).connections
    }

    /// Takes what these workers of `plan` need together.
    ///
    /// # Errors
    /// If there is not as much left.
    pub fn workers(self: &Arc<Self>, plan: &Plan, workers: &[usize]) -> Result<Share, String> {
        let replicas = || workers.iter().flat_map(|&worker| &plan.workers[worker].replicas);
        let memory = replicas().map(|replica| plan.node(replica.node).limits.memory_bytes);
        let needed = Used {
            connections: 0,
            replicas: replicas().count() as u64,
            memory_bytes: memory.fold(0, u64::saturating_add),
        };
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<_> = workers.iter().map(|&worker| plan.workers[worker].name.as_str()).collect();
        let names = names.join("`, `");
        if let Some(max) = self.replicas_max.filter(|max| used.replicas + needed.replicas > *max) {
            let (has, wants) = (used.replicas, needed.replicas);
            return Err(format!(
                "`{names}` are {wants} replicas, and of the {max} that the operator of this host allows, it runs {has}"
            ));
        }
        let memory = used.memory_bytes.saturating_add(needed.memory_bytes);
        if let Some(max) = self.memory_bytes_max.filter(|max| memory > *max) {
            let [has, wants, max] = [used.memory_bytes, needed.memory_bytes, max].map(format_bytes);
            let memory = Limit::Memory.key();
            return Err(format!(
                "`{names}` may have {wants} of `{memory}`, and of the {max} that the operator of this host allows, {has} are given"
            ));
        }
        Ok(self.take(used, needed))
    }

    fn take(self: &Arc<Self>, mut used: MutexGuard<'_, Used>, needed: Used) -> Share {
        used.connections += needed.connections;
        used.replicas += needed.replicas;
        used.memory_bytes = used.memory_bytes.saturating_add(needed.memory_bytes);
        Share { totals: self.clone(), used: needed }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut used = self.totals.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.connections -= self.used.connections;
        used.replicas -= self.used.replicas;
        used.memory_bytes = used.memory_bytes.saturating_sub(self.used.memory_bytes);
    }
}
