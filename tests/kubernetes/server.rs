//! A stand-in for the API server of a cluster, and for its machines: what is applied is kept, Jobs become processes of this machine,
//! their output is the log of Pods, and requests fail as a test asks for.

mod machines;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use machines::is_coordinator;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::host;

type Body = StreamBody<BoxStream<'static, Result<Frame<Bytes>, std::io::Error>>>;

/// How requests fail.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Of that method; of any if it is empty.
    pub method: &'static str,
    /// Whose path and query have this.
    pub path: &'static str,
    /// With that status; 0 closes the connection.
    pub status: u16,
    /// So many of them.
    pub times: u32,
}

#[derive(Default)]
struct State {
    /// What was asked, as `METHOD path?query`.
    requests: Vec<String>,
    faults: Vec<Fault>,
    /// By their paths.
    objects: BTreeMap<String, Value>,
    pods: BTreeMap<String, Value>,
    /// Changes of Pods, with the number of each as its version.
    events: Vec<Value>,
    logs: BTreeMap<String, Log>,
    children: BTreeMap<String, u32>,
    /// After how many lines the next answers with a log break off, in the middle of a line.
    torn: Vec<usize>,
    is_over: bool,
}

#[derive(Default, Clone)]
struct Log {
    lines: Vec<String>,
    is_over: bool,
}

/// A server. It ends, with all that it runs, with its test.
pub struct Server {
    dir: TempDir,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    dir: PathBuf,
    /// Where the coordinator listens.
    port: u16,
    /// Whether Pods run.
    has_machines: bool,
}

impl Server {
    /// One with machines.
    pub fn start() -> Self {
        Self::with(true)
    }

    /// One whose Pods wait for ever.
    pub fn without_machines() -> Self {
        Self::with(false)
    }

    fn with(has_machines: bool) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        // It is free again when the coordinator takes it.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port is free").port();
        listener.set_nonblocking(true).expect("it can be polled");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{ "name": "here", "cluster": { "server": format!("http://{address}") } }],
            "users": [{ "name": "me", "user": {} }],
            "contexts": [{ "name": "here", "context": { "cluster": "here", "user": "me", "namespace": "lab" } }],
        });
        let image = dir.path().join("image");
        fs::create_dir(&image).expect("it can be made");
        for name in ["probe.wasm", "probe_plain.wasm"] {
            let bytes = fs::read(host::guests().join(name)).expect("it was built");
            let digest = lp_base::words::Digest::of(&bytes);
            fs::write(image.join(format!("{digest}.wasm")), bytes).expect("it can be written");
        }
        fs::write(dir.path().join("config"), config.to_string()).expect("it can be written");
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: watch::channel(0).0,
            dir: dir.path().to_owned(),
            port,
            has_machines,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        runtime.spawn(serve(listener, shared.clone()));
        Self { dir, shared, _runtime: runtime }
    }

    /// `lp-host` with those words, on a machine whose only cluster this is.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(host::BINARY);
        command.args(words).env("KUBECONFIG", self.dir.path().join("config")).env("NO_COLOR", "1");
        command.env("XDG_RUNTIME_DIR", self.dir.path()).env("LP_HOST_IMAGE", "example.org/lp:1");
        command
    }

    pub fn fault(&self, method: &'static str, path: &'static str, status: u16, times: u32) {
        self.shared.state().faults.push(Fault { method, path, status, times });
    }

    /// Breaks the next answer with a log off after so many lines.
    pub fn tear_log(&self, lines: usize) {
        self.shared.state().torn.push(lines);
    }

    /// The requests with that method and path.
    pub fn requests(&self, method: &str, path: &str) -> Vec<String> {
        let state = self.shared.state();
        state.requests.iter().filter(|line| line.starts_with(method) && line.contains(path)).cloned().collect()
    }

    /// The paths of what is there.
    pub fn objects(&self) -> Vec<String> {
        self.shared.state().objects.keys().cloned().collect()
    }

    /// Kills the coordinator of a run whose names begin so.
    pub fn kill(&self, pod: &str) {
        let state = self.shared.state();
        let (_, pid) = state
            .children
            .iter()
            .find(|(name, _)| name.starts_with(pod) && name.contains("-coordinator-"))
            .expect("it runs");
        signal(*pid, Signal::KILL);
    }

    /// The name of the Pod of the first unit.
    pub fn unit(&self) -> String {
        self.shared.state().pods.keys().find(|name| !name.contains("-coordinator-")).expect("it is there").clone()
    }

    /// Deletes the Jobs and Pods of all runs, as the cluster does a day after their end.
    pub fn expire(&self) {
        self.shared.end_all();
        let mut state = self.shared.state();
        state.pods.clear();
        state.objects.retain(|path, _| !path.contains("/jobs/"));
    }

    /// Says of a Pod whose name begins so that its machine is lost.
    pub fn lose(&self, pod: &str) {
        let name = self.shared.state().pods.keys().find(|name| name.starts_with(pod)).expect("it is there").clone();
        self.shared.change(&name, |pod| {
            pod["metadata"]["deletionTimestamp"] = json!("2026-12-01T00:00:00Z");
            pod["status"]["conditions"] =
                json!([{ "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager" }]);
            pod["spec"]["nodeName"] = json!("node-3");
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.end_all();
    }
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("it is a process");
    let _ = kill_process(pid, signal);
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("it can be polled");
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, shared.clone()));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn whole(status: u16, value: &Value) -> Response<Body> {
    let frame = Ok(Frame::data(Bytes::from(value.to_string())));
    streamed(status, stream::iter([frame]).boxed())
}

fn streamed(status: u16, body: BoxStream<'static, Result<Frame<Bytes>, std::io::Error>>) -> Response<Body> {
    let mut response = Response::new(StreamBody::new(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("it is a status");
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

fn refusal(status: u16, message: &str) -> Response<Body> {
    let value = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status,
        "reason": if status == 404 { "NotFound" } else { "Other" },
    });
    whole(status, &value)
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, std::io::Error> {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or_default().to_owned());
    let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    let line = format!("{method} {path}?{query}");
    let fault = {
        let mut state = shared.state();
        state.requests.push(line.clone());
        let fits = |fault: &&mut Fault| {
            fault.times > 0 && method.as_str().starts_with(fault.method) && line.contains(fault.path)
        };
        state.faults.iter_mut().find(fits).map(|fault| {
            fault.times -= 1;
            fault.status
        })
    };
    match fault {
        Some(0) => return Err(std::io::Error::other("the test wants it so")),
        Some(status) => return Ok(refusal(status, "the test wants it so")),
        None => {}
    }
    Ok(shared.answer(&method, &path, &query, &body))
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    fn answer(self: &Arc<Self>, method: &Method, path: &str, query: &str, body: &[u8]) -> Response<Body> {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
        let has = |key: &str, value: &str| query.split('&').any(|part| part == format!("{key}={value}"));
        match (method.as_str(), parts.as_slice()) {
            ("GET", ["version"]) => whole(
                200,
                &json!({
                    "major": "1", "minor": "36", "gitVersion": "v1.36.0", "gitCommit": "", "gitTreeState": "", "buildDate": "",
                    "goVersion": "", "compiler": "", "platform": "",
                }),
            ),
            ("GET", [.., "pods", name, "log"]) => self.log(name, query),
            ("GET", [.., "pods", name]) => match self.state().pods.get(*name) {
                Some(pod) => whole(200, pod),
                None => refusal(404, "no such Pod"),
            },
            ("GET", [.., "pods"]) if has("watch", "true") || has("watch", "1") => self.watch(query),
            ("GET", [.., "pods"]) => {
                let state = self.state();
                let is_wanted = |pod: &&Value| !query.contains("coordinator") || is_coordinator(pod);
                let items: Vec<_> = state.pods.values().filter(is_wanted).cloned().collect();
                whole(
                    200,
                    &json!({
                        "kind": "PodList", "apiVersion": "v1", "items": items,
                        "metadata": { "resourceVersion": state.events.len().to_string() },
                    }),
                )
            }
            ("DELETE", [.., "pods", name]) => {
                self.remove(name);
                whole(200, &json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }))
            }
            ("GET", [.., "configmaps"]) => {
                let state = self.state();
                let items: Vec<_> = state.objects.values().filter(|object| object["kind"] == "ConfigMap").collect();
                whole(200, &json!({ "kind": "ConfigMapList", "apiVersion": "v1", "items": items, "metadata": {} }))
            }
            ("GET", _) => match self.state().objects.get(path) {
                Some(object) => whole(200, object),
                None => refusal(404, "no such object"),
            },
            ("POST", [.., "selfsubjectaccessreviews"]) => {
                let asked = &value["spec"]["resourceAttributes"];
                let is_allowed = asked["resource"] != "secrets" || !self.has_machines;
                whole(
                    201,
                    &json!({
                        "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {},
                        "spec": value["spec"], "status": { "allowed": is_allowed },
                    }),
                )
            }
            ("PATCH", _) => self.apply(path, value),
            ("DELETE", _) => {
                let there = self.state().objects.remove(path).is_some();
                self.end_all();
                self.state().objects.clear();
                if there {
                    whole(200, &json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }))
                } else {
                    refusal(404, "no such object")
                }
            }
            _ => refusal(405, "not served here"),
        }
    }

    fn apply(self: &Arc<Self>, path: &str, mut value: Value) -> Response<Body> {
        value["metadata"]["uid"] = json!(format!("uid-of-{}", path.rsplit('/').next().unwrap_or_default()));
        let is_new = self.state().objects.insert(path.to_owned(), value.clone()).is_none();
        if is_new && value["kind"] == "Job" {
            let (shared, job) = (self.clone(), value.clone());
            // A controller takes its time, and Secrets are applied by then.
            std::thread::spawn(move || shared.run_job(&job));
        }
        whole(200, &value)
    }

    fn watch(self: &Arc<Self>, query: &str) -> Response<Body> {
        let version = query.split('&').find_map(|part| part.strip_prefix("resourceVersion=")?.parse::<usize>().ok());
        let from = version.unwrap_or(0);
        let shared = self.clone();
        let next = move |(mut at, mut changed): (usize, watch::Receiver<u64>)| {
            let shared = shared.clone();
            async move {
                loop {
                    let event = shared.state().events.get(at).cloned();
                    if let Some(event) = event {
                        at += 1;
                        return Some((Ok(Frame::data(Bytes::from(format!("{event}\n")))), (at, changed)));
                    }
                    changed.changed().await.ok()?;
                }
            }
        };
        streamed(200, stream::unfold((from, self.changed.subscribe()), next).boxed())
    }

    fn log(self: &Arc<Self>, name: &str, query: &str) -> Response<Body> {
        let follows = query.contains("follow=true");
        let has_moments = query.contains("timestamps=true");
        let since =
            query.split('&').find_map(|part| part.strip_prefix("sinceTime=")).map(|text| text.replace("%3A", ":"));
        if !self.state().logs.contains_key(name) {
            return refusal(404, "no such Pod");
        }
        let torn = if follows { self.state().torn.pop() } else { None };
        let (shared, name) = (self.clone(), name.to_owned());
        let next = move |(mut at, sent, mut changed): (usize, usize, watch::Receiver<u64>)| {
            let (shared, name, since) = (shared.clone(), name.clone(), since.clone());
            async move {
                loop {
                    let log = shared.state().logs[&name].clone();
                    if let Some(line) = log.lines.get(at) {
                        // Two lines have the same moment, and twenty are in the same second.
                        let moment = format!(
                            "2026-12-01T00:{:02}:{:02}.{:09}Z",
                            at / 1200,
                            at / 20 % 60,
                            at / 2 % 10 * 100_000_000
                        );
                        at += 1;
                        if since.as_ref().is_some_and(|since| moment[..19] < since[..19]) {
                            continue;
                        }
                        let text = if has_moments { format!("{moment} {line}\n") } else { format!("{line}\n") };
                        if torn == Some(sent) {
                            let half = Bytes::from(text[..text.len() / 2].to_owned());
                            return Some((Ok(Frame::data(half)), (usize::MAX, sent, changed)));
                        }
                        return Some((Ok(Frame::data(Bytes::from(text))), (at, sent + 1, changed)));
                    }
                    if at == usize::MAX || !follows || log.is_over {
                        return None;
                    }
                    tokio::select! {
                        biased;
                        changed = changed.changed() => changed.ok()?,
                        () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    }
                }
            }
        };
        streamed(200, stream::unfold((0, 0, self.changed.subscribe()), next).boxed())
    }
}
