//! The caller without `async`: makes as many calls to the plain echo node as it is told.

use bench::calls::kinds::Kind;
use bench::calls::{plain_echo, types};

#[path = "../../../samples.rs"]
mod samples;

lp_guest::node!({ world: "plain-caller-node", path: "../../wit", node: Caller });

struct Caller;

impl Guest for Caller {
    fn run(kind: Kind, size: u32, calls: u32) {
        let length = size as usize;
        match kind {
            Kind::Empty => repeat((), calls, |()| plain_echo::empty()),
            Kind::Bytes => repeat(vec![7; length], calls, |value| plain_echo::bytes(&value)),
            Kind::Floats => repeat(vec![0.5; length], calls, |value| plain_echo::floats(&value)),
            Kind::Mixed => repeat(samples::reading(), calls, |value| plain_echo::mixed(&value)),
            Kind::Strings | Kind::Points | Kind::Options | Kind::Shapes => {
                panic!("the plain echo node has no method for {kind:?}")
            }
        }
    }
}

fn repeat<T>(mut value: T, calls: u32, call: impl Fn(T) -> T) {
    for _ in 0..calls {
        value = call(value);
    }
}
