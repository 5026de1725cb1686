//! The Pods of a run, as they change: one list, and one watch of all of them, whatever their number.

use std::collections::BTreeMap;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, WatchEvent, WatchParams};
use lp_engine::kubernetes::LABEL_PROGRAM;

use super::api::{ApiError, Cluster, is_passing, shown};

/// How long a watch lasts before it is begun anew, in seconds: less than a silent connection is kept.
const WATCH_S: u32 = 50;

/// What a stale watch is answered with.
const GONE: u16 = 410;

/// The Pods of a run.
pub(super) struct Pods<'a> {
    cluster: &'a Cluster,
    selector: String,
    /// By their names, as they were last.
    pub(super) known: BTreeMap<String, Pod>,
    version: Option<String>,
    watch: Option<BoxStream<'static, kube::Result<WatchEvent<Pod>>>>,
}

impl<'a> Pods<'a> {
    pub(super) fn new(cluster: &'a Cluster, id: &str) -> Self {
        let selector = format!("{LABEL_PROGRAM}={id}");
        Self { cluster, selector, known: BTreeMap::new(), version: None, watch: None }
    }

    /// Waits until something has changed. It may be cancelled at any time, and goes on where it was.
    ///
    /// # Errors
    /// If the server refuses, or could not be reached for too long.
    pub(super) async fn changed(&mut self) -> Result<(), ApiError> {
        loop {
            let Some(version) = self.version.clone() else { return self.list().await };
            let Some(watch) = &mut self.watch else {
                self.begin(&version).await?;
                continue;
            };
            match watch.next().await {
                Some(Ok(event)) => {
                    if self.take(event) {
                        return Ok(());
                    }
                }
                // It ends every so often, and with the server.
                None => self.watch = None,
                Some(Err(error)) if is_gone(&error) => self.stale(),
                Some(Err(error)) if is_passing(&error) => {
                    self.cluster.screen.warning(&format!("{}: its Pods are asked for again", shown(&error)));
                    self.stale();
                }
                // A line that is none: what was changed is unknown, so all is asked for.
                Some(Err(_)) => self.stale(),
            }
        }
    }

    /// Asks for all of them next.
    fn stale(&mut self) {
        (self.watch, self.version) = (None, None);
    }

    async fn list(&mut self) -> Result<(), ApiError> {
        let (api, params) = (self.cluster.pods(), ListParams::default().labels(&self.selector));
        let list = self.cluster.ask("the Pods of the program", || api.list(&params)).await?;
        self.version = Some(list.metadata.resource_version.unwrap_or_else(|| "0".to_owned()));
        self.known = list.items.into_iter().filter_map(|pod| Some((pod.metadata.name.clone()?, pod))).collect();
        Ok(())
    }

    async fn begin(&mut self, version: &str) -> Result<(), ApiError> {
        let api = self.cluster.pods();
        let params = WatchParams::default().labels(&self.selector).timeout(WATCH_S);
        match self.cluster.ask("changes of its Pods", || api.watch(&params, version)).await {
            Ok(watch) => self.watch = Some(watch.into_stream().boxed()),
            Err(ApiError::Refused { code: GONE, .. }) => self.stale(),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether an event has changed something.
    fn take(&mut self, event: WatchEvent<Pod>) -> bool {
        match event {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => {
                self.version = pod.metadata.resource_version.clone().or(self.version.take());
                pod.metadata.name.clone().is_some_and(|name| {
                    self.known.insert(name, pod);
                    true
                })
            }
            WatchEvent::Deleted(pod) => {
                self.version = pod.metadata.resource_version.clone().or(self.version.take());
                pod.metadata.name.is_some_and(|name| self.known.remove(&name).is_some())
            }
            WatchEvent::Bookmark(bookmark) => {
                self.version = Some(bookmark.metadata.resource_version);
                false
            }
            WatchEvent::Error(_) => {
                self.stale();
                false
            }
        }
    }
}

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == GONE)
}
