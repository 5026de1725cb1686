//! Lowers what a program file asks of Kubernetes.

use lp_base::words::{KubernetesRequest, NotATaint, Taint, parse_cpu};

use super::NodeLowering;
use crate::program::file::KubernetesFile;
use crate::program::problem::Problem;
use crate::program::source::NodePlace;

impl NodeLowering<'_, '_> {
    pub(super) fn kubernetes(&mut self, file: KubernetesFile) -> KubernetesRequest {
        let KubernetesFile { cpu, memory, devices, node_selector, tolerations, env_secrets } = file;
        let memory = memory.map(|memory| self.take(NodePlace::Kubernetes("memory"), memory));
        let cpu = cpu.map(|cpu| self.take(NodePlace::Kubernetes("cpu"), cpu));
        KubernetesRequest {
            cpu_milli: cpu.and_then(|cpu| {
                let milli = parse_cpu(&cpu);
                if milli.is_none() {
                    let message = format!("`{}` is not an amount of processors", cpu.escape_debug());
                    self.bad_kubernetes(
                        NodePlace::Kubernetes("cpu"),
                        message,
                        "write `\"2\"`, `\"0.5\"` or `\"500m\"`",
                    );
                }
                milli
            }),
            memory_bytes: memory
                .and_then(|memory| self.lowering.size(&memory, self.at(NodePlace::Kubernetes("memory")))),
            devices: devices.map(|devices| self.take(NodePlace::Kubernetes("devices"), devices)).unwrap_or_default(),
            node_selector: node_selector
                .map(|labels| self.take(NodePlace::Kubernetes("node-selector"), labels))
                .unwrap_or_default(),
            tolerations: (0..)
                .zip(tolerations)
                .filter_map(|(index, taint)| {
                    let taint = self.take(NodePlace::Toleration(index), taint);
                    let parsed: Result<Taint, NotATaint> = taint.parse();
                    if let Err(error) = &parsed {
                        let message = format!("`{}` is not a taint", taint.escape_debug());
                        self.bad_kubernetes(NodePlace::Toleration(index), message, &error.to_string());
                    }
                    parsed.ok()
                })
                .collect(),
            env_secrets: (0..)
                .zip(env_secrets)
                .map(|(index, name)| self.take(NodePlace::EnvSecret(index), name))
                .collect(),
        }
    }

    fn bad_kubernetes(&mut self, place: NodePlace, message: String, help: &str) {
        let span = self.lowering.source.span(&self.at(place));
        let problem = Problem::error("bad-kubernetes", message).at(span, "Kubernetes knows no such thing");
        self.lowering.problems.push_node(self.node, problem.help(help.to_owned()));
    }
}
