//! The life of a replica of a simulated run that may stand still or crash at any moment.

use std::pin::pin;
use std::task::Poll;

use lp_base::replica::ReplicaSpec;
use lp_base::scheduler::Sleep;

/// Goes on with `life` to its end, as the interference of the run lets it, and says whether it crashed instead. `life` is
/// dropped then.
pub(super) async fn crashed(life: impl Future<Output = ()>, spec: &ReplicaSpec) -> bool {
    let scheduler = &spec.scheduler;
    let number = spec.number.0;
    let mut life = pin!(life);
    let mut standing: Option<Sleep> = None;
    std::future::poll_fn(|cx| {
        let Some((interference, _)) = scheduler.interference() else { return life.as_mut().poll(cx).map(|()| false) };
        if interference.crashes(number, cx.waker()) {
            return Poll::Ready(true);
        }
        loop {
            if let Some(sleep) = &mut standing {
                std::task::ready!(sleep.as_mut().poll(cx));
                standing = None;
            }
            let Some((interference, at)) = scheduler.interference() else { break };
            match interference.stands(number, at) {
                Some(time) => standing = Some(scheduler.sleep(time)),
                None => break,
            }
        }
        life.as_mut().poll(cx).map(|()| false)
    })
    .await
}
