//! The caller: makes as many calls to the echo node as it is told, so that the host measures many calls by one.

use bench::calls::kinds::Kind;
use bench::calls::{echo, echo_handles, types};
use lp_guest::join_all;

#[path = "../../../classes.rs"]
mod classes;
#[path = "../../../samples.rs"]
mod samples;

lp_guest::node!({ world: "caller-node", path: "../../wit", node: Caller });

struct Caller;

impl Guest for Caller {
    async fn run(kind: Kind, size: u32, calls: u32) {
        let length = size as usize;
        match kind {
            Kind::Empty => repeat((), calls, |()| echo::empty()).await,
            Kind::Bytes => repeat(vec![7; length], calls, echo::bytes).await,
            Kind::Floats => repeat(vec![0.5; length], calls, echo::floats).await,
            Kind::Mixed => repeat(samples::reading(), calls, echo::mixed).await,
            Kind::Strings => repeat(classes::strings(size), calls, echo::strings).await,
            Kind::Points => repeat(classes::points(size), calls, echo::points).await,
            Kind::Options => repeat(classes::options(size), calls, echo::options).await,
            Kind::Shapes => repeat(classes::shapes(size), calls, echo::shapes).await,
        }
    }

    async fn in_flight(width: u32, calls: u32) {
        let share = |lane| calls / width + u32::from(lane < calls % width);
        join_all((0..width).map(|lane| repeat((), share(lane), |()| echo::empty()))).await;
    }

    async fn fan_out(rounds: u32) -> u32 {
        let replicas = echo_handles::all("echo");
        for _ in 0..rounds {
            let answers = join_all(replicas.iter().map(echo_handles::Echo::empty)).await;
            answers.into_iter().collect::<Result<(), _>>().expect("an empty call of a running node succeeds");
        }
        replicas.len() as u32
    }
}

/// Calls again with what came back, so that nothing is copied between calls.
async fn repeat<T, F: Future<Output = T>>(mut value: T, calls: u32, call: impl Fn(T) -> F) {
    for _ in 0..calls {
        value = call(value).await;
    }
}
