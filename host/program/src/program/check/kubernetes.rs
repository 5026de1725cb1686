//! The rules of what a node asks of Kubernetes, as far as they hold on every cluster.

use lp_base::words::{format_bytes, is_dns_label, is_kubernetes_key, is_kubernetes_value};

use super::NodeCheck;
use crate::program::Limit;
use crate::program::problem::Problem;
use crate::program::source::NodePlace;

/// The least of a processor that a replica may ask for: with less it would hardly run.
const CPU_MILLI_MIN: u64 = 10;
/// The most: more than any machine has.
const CPU_MILLI_MAX: u64 = 4_096_000;

impl NodeCheck<'_> {
    pub(super) fn kubernetes(&mut self) {
        let asked = &self.node.kubernetes;
        if asked.cpu_milli.is_some_and(|milli| !(CPU_MILLI_MIN..=CPU_MILLI_MAX).contains(&milli)) {
            self.report_kubernetes("cpu", "`kubernetes.cpu` must be from 10m to 4096".to_owned(), "out of range", None);
        }
        let needed = self.program.limit(self.node, Limit::Memory).unwrap_or(0);
        if let Some(memory) = asked.memory_bytes.filter(|memory| *memory < needed) {
            let needed = format_bytes(needed);
            let message = format!("`kubernetes.memory` is {}, and a replica may have {needed}", format_bytes(memory));
            let help = format!("ask for more than {needed}, or lower `limits.memory`");
            self.report_kubernetes("memory", message, "Kubernetes would kill it", Some(help));
        }
        for name in asked.devices.keys() {
            // What has no domain is of Kubernetes itself.
            if !is_kubernetes_key(name) || !name.contains('/') {
                let message = format!("`{}` is not the name of a device", name.escape_debug());
                let help = "write it as `kubectl describe node` does, such as `nvidia.com/gpu`";
                self.report_kubernetes("devices", message, "not a device", Some(help.to_owned()));
            }
        }
        for (key, value) in &asked.node_selector {
            if !is_kubernetes_key(key) || !is_kubernetes_value(value) {
                let message = format!("`{}={}` is not a label", key.escape_debug(), value.escape_debug());
                self.report_kubernetes("node-selector", message, "no machine has it", None);
            }
        }
        for (index, name) in asked.env_secrets.iter().enumerate() {
            if !name.split('.').all(is_dns_label) {
                let message = format!("`{}` is not the name of a Secret", name.escape_debug());
                let problem = Problem::error("bad-kubernetes", message);
                self.report([problem.at(self.span(NodePlace::EnvSecret(index)), "not a name")]);
            }
        }
    }

    fn report_kubernetes(&mut self, key: &'static str, message: String, label: &str, help: Option<String>) {
        let problem = Problem::error("bad-kubernetes", message).at(self.span(NodePlace::Kubernetes(key)), label);
        self.report([match help {
            Some(help) => problem.help(help),
            None => problem,
        }]);
    }
}
