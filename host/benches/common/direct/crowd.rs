//! Many echo nodes with `async`, each in a store of its own.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::runtime::Runtime;
use wasmtime::component::{Func, InstancePre};
use wasmtime::{Result, Store};

use super::bindings::concurrent::EchoNode;
use super::{concurrent, executor, load, store, val};
use crate::common::EMPTY;
use crate::common::nodes::Flavour;

/// A compiled echo node, to make instances of.
pub struct Compiled(InstancePre<()>);

impl Compiled {
    /// The component in `path`, compiled.
    pub fn new(path: &Path) -> Self {
        Self(load(path, Flavour::Async).expect("the echo node needs nothing but WASI"))
    }
}

/// Instances of the echo node.
pub struct Crowd {
    runtime: Runtime,
    members: Vec<(Store<()>, EchoNode, Func)>,
}

impl Crowd {
    /// Makes `count` instances.
    pub fn new(compiled: &Compiled, count: u32) -> Self {
        let runtime = executor();
        let members = (0..count).map(|_| runtime.block_on(member(&compiled.0)));
        let members = members.collect::<Result<_>>().expect("the echo node is built for this world");
        Self { runtime, members }
    }

    /// The time to call every instance `rounds` times by typed bindings, all of them at once.
    pub fn typed_fan_out(&mut self, rounds: u32) -> Duration {
        let start = Instant::now();
        for _ in 0..rounds {
            let calls = self.members.iter_mut().map(async |(store, node, _)| {
                let echo = node.bench_calls_echo();
                store.run_concurrent(async |accessor| echo.call_empty(accessor).await).await?
            });
            self.runtime.block_on(try_join_all(calls)).expect("an echo succeeds");
        }
        start.elapsed()
    }

    /// The time to call every instance `rounds` times by `Val`, all of them at once.
    pub fn val_fan_out(&mut self, rounds: u32) -> Duration {
        let start = Instant::now();
        for _ in 0..rounds {
            let calls = self.members.iter_mut().map(async |(store, _, func)| {
                store.run_concurrent(async |accessor| func.call_concurrent(accessor, &[], &mut []).await).await?
            });
            self.runtime.block_on(try_join_all(calls)).expect("an echo succeeds");
        }
        start.elapsed()
    }
}

async fn member(pre: &InstancePre<()>) -> Result<(Store<()>, EchoNode, Func)> {
    let mut store = store(pre.engine());
    let instance = pre.instantiate_async(&mut store).await?;
    let node = EchoNode::new(&mut store, &instance)?;
    let func = val::find(&mut store, &instance, concurrent::INTERFACE, EMPTY);
    Ok((store, node, func))
}
