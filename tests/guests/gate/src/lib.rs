//! Lets calls return when enough of them are there, and each has taken the time of the configuration.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use wasi::clocks::monotonic_clock::wait_for;

lp_guest::node!({ world: "gate", path: "../../meeting/wit", node: Gate });

struct Gate;

thread_local! {
    static WAITING: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

impl Guest for Gate {
    async fn meet(of: u32) -> u32 {
        let mut has_come = false;
        poll_fn(|ctx| {
            WAITING.with_borrow_mut(|waiting| {
                let enough = of as usize;
                if !has_come && waiting.len() < enough {
                    has_come = true;
                    waiting.push(ctx.waker().clone());
                    if waiting.len() == enough {
                        waiting.iter().for_each(Waker::wake_by_ref);
                    }
                }
                if waiting.len() >= enough { Poll::Ready(()) } else { Poll::Pending }
            })
        })
        .await;
        if let Some(millis) = lp_guest::config::parse::<u64>("call-millis").expect("the tests give a number") {
            wait_for(millis * 1_000_000).await;
        }
        of
    }
}
