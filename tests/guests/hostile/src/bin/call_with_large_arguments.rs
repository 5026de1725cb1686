//! Makes calls with large arguments in a call and waits for none.

use std::future::poll_fn;
use std::task::Poll;

use test::hostile::victim_handles;

lp_guest::node!({ world: "relaying", node: Hostile });

struct Hostile;

impl Guest for Hostile {
    async fn attack(data: Vec<u8>) -> Vec<u8> {
        let victim = Box::leak(Box::new(victim_handles::get("victim").expect("it has such a handle")));
        for _ in 0..1_000 {
            let mut call = Box::pin(victim.attack(vec![7; 1024 * 1024]));
            poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await;
            std::mem::forget(call);
        }
        data
    }
}

fn main() {}
