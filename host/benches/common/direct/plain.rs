//! The echo node without `async`, which takes one call at a time.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use wasmtime::component::Instance;
use wasmtime::{Result, Store};

use super::bindings::plain::PlainEchoNode;
use super::{executor, load, samples, store, val};
use crate::common::nodes::Flavour;
use crate::common::{Case, Kind};

const INTERFACE: &str = "bench:calls/plain-echo";

/// An instance of the plain echo node.
pub struct PlainEcho {
    runtime: Runtime,
    store: Store<()>,
    node: PlainEchoNode,
    instance: Instance,
}

impl PlainEcho {
    /// An instance of the component in `path`.
    pub fn new(path: &Path) -> Self {
        Self::try_new(path).expect("the plain echo node is built for this world")
    }

    fn try_new(path: &Path) -> Result<Self> {
        let pre = load(path, Flavour::Plain)?;
        let (runtime, mut store) = (executor(), store(pre.engine()));
        let instance = runtime.block_on(pre.instantiate_async(&mut store))?;
        let node = PlainEchoNode::new(&mut store, &instance)?;
        Ok(Self { runtime, store, node, instance })
    }

    /// The time of `calls` calls by typed bindings, one after the other.
    pub fn typed(&mut self, case: Case, calls: u32) -> Duration {
        let Self { runtime, store, node, .. } = self;
        runtime.block_on(typed(store, node, case, calls)).expect("an echo succeeds")
    }

    /// The time of `calls` calls by `Val`, one after the other.
    pub fn val(&mut self, case: Case, calls: u32) -> Duration {
        let func = val::find(&mut self.store, &self.instance, INTERFACE, case);
        let (mut params, mut results) = val::values(case);
        let run = async {
            let start = Instant::now();
            for _ in 0..calls {
                func.call_async(&mut self.store, &params, &mut results).await?;
                std::mem::swap(&mut params, &mut results);
            }
            Ok::<_, wasmtime::Error>(start.elapsed())
        };
        self.runtime.block_on(run).expect("an echo succeeds")
    }
}

async fn typed(store: &mut Store<()>, node: &PlainEchoNode, case: Case, calls: u32) -> Result<Duration> {
    let echo = node.bench_calls_plain_echo();
    let length = case.size as usize;
    macro_rules! repeat {
        ($value:expr, $call:ident) => {{
            let mut value = $value;
            let start = Instant::now();
            for _ in 0..calls {
                value = echo.$call(&mut *store, &value).await?;
            }
            start.elapsed()
        }};
    }
    Ok(match case.kind {
        Kind::Empty => {
            let start = Instant::now();
            for _ in 0..calls {
                echo.call_empty(&mut *store).await?;
            }
            start.elapsed()
        }
        Kind::Bytes => repeat!(vec![7; length], call_bytes),
        Kind::Floats => repeat!(vec![0.5; length], call_floats),
        Kind::Mixed => repeat!(samples::reading(), call_mixed),
        Kind::Strings | Kind::Points | Kind::Options | Kind::Shapes => {
            unreachable!("the plain echo node has no method `{}`", case.kind.method())
        }
    })
}
