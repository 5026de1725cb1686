//! Makes calls in a call, and goes on computing instead of taking their results.

use std::future::poll_fn;
use std::task::Poll;

use test::hostile::victim_handles;

lp_guest::node!({ world: "relaying", node: Hostile });

struct Hostile;

impl Guest for Hostile {
    async fn attack(_: Vec<u8>) -> Vec<u8> {
        let victim = Box::leak(Box::new(victim_handles::get("victim").expect("it has such a handle")));
        for _ in 0..64 {
            let mut call = Box::pin(victim.attack(Vec::new()));
            poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await;
            std::mem::forget(call);
        }
        loop {
            std::hint::spin_loop();
        }
    }
}

fn main() {}
