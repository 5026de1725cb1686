//! The machines of the stand-in: Pods whose containers are processes of this one.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Log, Shared, signal};
use crate::host;

impl Shared {
    /// Makes the Pods of a Job, whose containers are processes if there are machines.
    pub(super) fn run_job(self: &Arc<Self>, job: &Value) {
        let count = job["spec"]["completions"].as_u64().expect("it has a number of Pods");
        for index in 0..count {
            let name = format!("{}-{index}-x7k2p", job["metadata"]["name"].as_str().expect("it has a name"));
            let state = if self.has_machines { json!({ "running": {} }) } else { json!({}) };
            let mut pod = json!({
                "kind": "Pod", "apiVersion": "v1", "metadata": { "name": name, "labels": job["spec"]["template"]["metadata"]["labels"] },
                "spec": { "containers": [] },
                "status": { "phase": "Running", "containerStatuses": [{
                    "name": "c", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": state,
                }] },
            });
            if !self.has_machines {
                pod["status"] = json!({ "phase": "Pending", "conditions": [{
                    "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
                }] });
            }
            let child = self.has_machines.then(|| self.spawn(&job["spec"]["template"]["spec"]["containers"][0], index));
            {
                let mut state = self.state();
                state.logs.insert(name.clone(), Log::default());
                if let Some(child) = &child {
                    state.children.insert(name.clone(), child.id());
                }
                state.pods.insert(name.clone(), Value::Null);
            }
            self.change(&name, |value| *value = pod);
            if let Some(child) = child {
                let shared = self.clone();
                std::thread::spawn(move || shared.wait(&name, child));
            }
        }
    }

    /// The process of a container, on this machine.
    fn spawn(&self, container: &Value, index: u64) -> Child {
        let own = self.dir.join("run");
        self.write_run(&own);
        let here = |text: &str| {
            let text = text.replace("$$", "$").replace("$(LP_INDEX)", &index.to_string());
            let text = text
                .replace("/lp/program/components", &self.dir.join("image").display().to_string())
                .replace("/lp/run", &own.display().to_string())
                .replace("0.0.0.0:7400", &format!("127.0.0.1:{}", self.port));
            let text = text.replace("/dev/termination-log", &self.dir.join("termination").display().to_string());
            match text.split_once("-coordinator-0.") {
                Some((_, rest)) if rest.ends_with(":7400") => format!("127.0.0.1:{}", self.port),
                Some(_) => "127.0.0.1".to_owned(),
                None => text,
            }
        };
        let args = container["args"].as_array().expect("it has arguments");
        let args = args.iter().map(|word| here(word.as_str().expect("it is a text")));
        let runtime = self.dir.join(format!("runtime-{}-{index}", container["name"]));
        fs::create_dir_all(&runtime).expect("it can be made");
        let mut command = Command::new(host::BINARY);
        command.args(args).stdout(Stdio::piped()).env("XDG_RUNTIME_DIR", runtime);
        command.spawn().expect("the binary runs")
    }

    /// What the volumes of all Pods have.
    fn write_run(&self, dir: &Path) {
        fs::create_dir_all(dir.join("components")).expect("it can be made");
        let objects: Vec<_> = self.state().objects.values().cloned().collect();
        for object in objects {
            for (name, text) in
                ["data", "stringData"].iter().flat_map(|key| object[*key].as_object().into_iter().flatten())
            {
                if let Ok(mut file) = fs::File::options().write(true).create_new(true).mode(0o440).open(dir.join(name))
                {
                    std::io::Write::write_all(&mut file, text.as_str().expect("it is a text").as_bytes())
                        .expect("it can be written");
                }
            }
            if let Ok(map) = serde_json::from_value::<k8s_openapi::api::core::v1::ConfigMap>(object.clone()) {
                for (name, bytes) in map.binary_data.unwrap_or_default() {
                    fs::write(dir.join("components").join(name), bytes.0).expect("it can be written");
                }
            }
        }
    }

    /// Keeps what a process prints, and how it ends.
    fn wait(&self, name: &str, mut child: Child) {
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        for line in stdout.lines().map_while(Result::ok) {
            self.state().logs.get_mut(name).expect("it has a log").lines.push(line);
            self.changed.send_modify(|number| *number += 1);
        }
        let code = child.wait().ok().and_then(|status| status.code()).unwrap_or(137);
        let message = fs::read_to_string(self.dir.join("termination")).unwrap_or_default();
        self.state().children.remove(name);
        self.state().logs.get_mut(name).expect("it has a log").is_over = true;
        self.change(name, |pod| {
            pod["status"]["phase"] = json!(if code == 0 { "Succeeded" } else { "Failed" });
            let reason = if code == 137 { "OOMKilled" } else { "Error" };
            pod["status"]["containerStatuses"][0]["state"] =
                json!({ "terminated": { "exitCode": code, "reason": reason, "message": if is_coordinator(pod) { message } else { String::new() } } });
        });
    }

    /// Changes a Pod, which those who watch are told.
    pub(super) fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.state();
        let version = (state.events.len() + 1).to_string();
        let Some(pod) = state.pods.get_mut(name) else { return };
        let kind = if pod.is_null() { "ADDED" } else { "MODIFIED" };
        change(pod);
        pod["metadata"]["resourceVersion"] = json!(version);
        let event = json!({ "type": kind, "object": pod });
        state.events.push(event);
        drop(state);
        self.changed.send_modify(|number| *number += 1);
    }

    /// Ends a Pod: it is there until its process has ended.
    pub(super) fn remove(&self, name: &str) {
        let child = self.state().children.get(name).copied();
        if let Some(pid) = child {
            self.change(name, |pod| pod["metadata"]["deletionTimestamp"] = json!("2026-12-01T00:00:00Z"));
            return signal(pid, Signal::TERM);
        }
        let mut state = self.state();
        if let Some(mut pod) = state.pods.remove(name) {
            pod["metadata"]["resourceVersion"] = json!((state.events.len() + 1).to_string());
            state.events.push(json!({ "type": "DELETED", "object": pod }));
        }
        drop(state);
        self.changed.send_modify(|number| *number += 1);
    }

    /// Ends all processes.
    pub(super) fn end_all(&self) {
        let mut state = self.state();
        state.is_over = true;
        state.children.values().for_each(|pid| signal(*pid, Signal::KILL));
    }
}

pub(super) fn is_coordinator(pod: &Value) -> bool {
    pod["metadata"]["labels"]["lp/group"] == "coordinator"
}
