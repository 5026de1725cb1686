//! The echo node with `async`, whose calls can be in flight together.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::runtime::Runtime;
use wasmtime::component::{Accessor, Instance};
use wasmtime::{Result, Store};

use super::bindings::concurrent::EchoNode;
use super::bindings::concurrent::exports::bench::calls::echo::Guest;
use super::{classes, executor, load, repeat, samples, store, val};
use crate::common::nodes::Flavour;
use crate::common::{Case, EMPTY, Kind};

pub(super) const INTERFACE: &str = "bench:calls/echo";

/// An instance of the echo node.
pub struct ConcurrentEcho {
    runtime: Runtime,
    store: Store<()>,
    node: EchoNode,
    instance: Instance,
}

impl ConcurrentEcho {
    /// An instance of the component in `path`.
    pub fn new(path: &Path) -> Self {
        Self::try_new(path).expect("the echo node is built for this world")
    }

    fn try_new(path: &Path) -> Result<Self> {
        let pre = load(path, Flavour::Async)?;
        let (runtime, mut store) = (executor(), store(pre.engine()));
        let instance = runtime.block_on(pre.instantiate_async(&mut store))?;
        let node = EchoNode::new(&mut store, &instance)?;
        Ok(Self { runtime, store, node, instance })
    }

    /// The time of `calls` calls by typed bindings, one after the other.
    pub fn typed(&mut self, case: Case, calls: u32) -> Duration {
        let echo = self.node.bench_calls_echo();
        let run = self.store.run_concurrent(async |accessor| typed(accessor, echo, case, calls).await);
        self.runtime.block_on(run).flatten().expect("an echo succeeds")
    }

    /// The time of `calls` calls by `Val`, one after the other.
    pub fn val(&mut self, case: Case, calls: u32) -> Duration {
        let func = val::find(&mut self.store, &self.instance, INTERFACE, case);
        let run = self.store.run_concurrent(async |accessor| {
            let (mut params, mut results) = val::values(case);
            let start = Instant::now();
            for _ in 0..calls {
                func.call_concurrent(accessor, &params, &mut results).await?;
                std::mem::swap(&mut params, &mut results);
            }
            Ok(start.elapsed())
        });
        self.runtime.block_on(run).flatten().expect("an echo succeeds")
    }

    /// The time of `calls` empty calls by typed bindings, `width` of them in flight.
    pub fn typed_in_flight(&mut self, width: u32, calls: u32) -> Duration {
        let echo = self.node.bench_calls_echo();
        let start = Instant::now();
        let run = self.store.run_concurrent(async |accessor| {
            try_join_all((0..width).map(|_| typed(accessor, echo, EMPTY, calls / width))).await
        });
        self.runtime.block_on(run).flatten().expect("an echo succeeds");
        start.elapsed()
    }

    /// The time of `calls` empty calls by `Val`, `width` of them in flight.
    pub fn val_in_flight(&mut self, width: u32, calls: u32) -> Duration {
        let func = val::find(&mut self.store, &self.instance, INTERFACE, EMPTY);
        let start = Instant::now();
        let run = self.store.run_concurrent(async |accessor| {
            try_join_all((0..width).map(async |_| {
                for _ in 0..calls / width {
                    func.call_concurrent(accessor, &[], &mut []).await?;
                }
                Ok::<_, wasmtime::Error>(())
            }))
            .await
        });
        self.runtime.block_on(run).flatten().expect("an echo succeeds");
        start.elapsed()
    }
}

async fn typed(accessor: &Accessor<()>, echo: &Guest, case: Case, calls: u32) -> Result<Duration> {
    let length = case.size as usize;
    match case.kind {
        Kind::Empty => repeat((), calls, |()| echo.call_empty(accessor)).await,
        Kind::Bytes => repeat(vec![7; length], calls, |value| echo.call_bytes(accessor, value)).await,
        Kind::Floats => repeat(vec![0.5; length], calls, |value| echo.call_floats(accessor, value)).await,
        Kind::Mixed => repeat(samples::reading(), calls, |value| echo.call_mixed(accessor, value)).await,
        Kind::Strings => repeat(classes::strings(case.size), calls, |value| echo.call_strings(accessor, value)).await,
        Kind::Points => repeat(classes::points(case.size), calls, |value| echo.call_points(accessor, value)).await,
        Kind::Options => repeat(classes::options(case.size), calls, |value| echo.call_options(accessor, value)).await,
        Kind::Shapes => repeat(classes::shapes(case.size), calls, |value| echo.call_shapes(accessor, value)).await,
    }
}
