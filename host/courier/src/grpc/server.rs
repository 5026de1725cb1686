//! The gRPC server in front of replicas: a listener, and the audience that connects to it.

use std::time::Duration;

use lp_base::scheduler::Scheduler;
use tokio::task::JoinSet;

use super::outside::serve_client;
use super::service::Services;
use super::socket::{Accepted, ByteStream, Listener};
use super::workers::serve_worker;

/// How long accepting connections rests after an error, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end of a server's connections. Whoever opens the listener knows; the kind of its socket says nothing
/// of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The program's own workers, and this user's `lp-host call`. Both run as this user and show the credential of an edge
    /// with every call.
    Workers,
    /// Any client outside of the program. It shows nothing, and little of what it says about itself counts.
    Outside,
}

impl Audience {
    /// Whether a connection may come from this audience. TCP proves nothing of its far end, so no worker comes by it.
    fn admits(self, accepted: &Accepted) -> bool {
        match self {
            // The directory of the socket keeps others out; this holds where somebody opened it.
            Self::Workers => accepted.is_own_user,
            Self::Outside => true,
        }
    }

    async fn serve(self, stream: ByteStream, services: Services, in_flight_max: u32, scheduler: Scheduler) {
        match self {
            Self::Workers => serve_worker(stream, services, in_flight_max, scheduler).await,
            Self::Outside => serve_client(stream, services, in_flight_max, scheduler).await,
        }
    }
}

/// Serves the connections of an audience for as long as it is polled, each in a task of `scheduler`. Dropping it drops the
/// connections.
pub async fn serve(
    listener: Listener,
    audience: Audience,
    services: Services,
    in_flight_max: u32,
    scheduler: Scheduler,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(accepted) if audience.admits(&accepted) => {
                let (services, own) = (services.clone(), scheduler.clone());
                let served = audience.serve(accepted.stream, services, in_flight_max, own);
                scheduler.spawn_in(&mut connections, served);
            }
            Ok(_) => {}
            Err(_) => scheduler.sleep(ACCEPT_PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Accepted, Audience};

    #[test]
    fn only_processes_of_this_user_are_workers_and_anybody_is_a_client() {
        let check = |audience: Audience, is_own_user: bool, admitted: bool| {
            let accepted = Accepted { stream: Box::new(tokio::io::empty()), is_own_user };
            assert_eq!(audience.admits(&accepted), admitted, "{audience:?}");
        };
        check(Audience::Workers, true, true);
        check(Audience::Workers, false, false);
        check(Audience::Outside, true, true);
        check(Audience::Outside, false, true);
    }
}
