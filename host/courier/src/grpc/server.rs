//! The gRPC server in front of replicas: a listener, and the audience that connects to it.

use std::time::Duration;

use lp_base::lease::Lease;
use lp_base::replica::Stop;
use lp_base::scheduler::Scheduler;
use tokio::task::JoinSet;

use super::admission::Guard;
use super::leased::leased;
use super::outside::{Clients, serve_seated};
use super::policy::ClientPolicy;
use super::service::Services;
use super::socket::{Accepted, Listener, Proof};
use super::workers::serve_worker;

/// How long accepting connections rests after an error, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end of a server's connections. Whoever opens the listener knows; the kind of its socket says nothing
/// of it.
#[derive(Clone)]
pub enum Audience {
    /// The program's own workers, and whoever runs the program. Both run as this user or have a certificate of the run, and
    /// show the credential of an edge with every call.
    Workers {
        /// The most unanswered calls of one connection.
        in_flight_max: u32,
    },
    /// Any client outside of the program that the guard lets in. Little of what it says about itself counts.
    Outside(ClientPolicy, Guard),
}

impl Audience {
    /// Whether a connection may come from this audience. TCP alone proves nothing of its far end, so no worker comes by it.
    fn admits(&self, accepted: &Accepted) -> bool {
        match self {
            // The directory of a socket keeps others out; this holds where somebody opened it.
            Self::Workers { .. } => matches!(accepted.proof, Proof::OwnUser | Proof::OwnRun),
            Self::Outside(..) => true,
        }
    }
}

/// Serves the connections of an audience until `ending` is requested, each in a task of `scheduler`. Clients outside may then
/// still take the answers that are on their way to them. When `lease` has ended, no connection brings a call or takes an answer.
/// Dropping it drops the connections.
pub async fn serve(
    mut listener: Listener,
    audience: Audience,
    services: Services,
    ending: Stop,
    lease: Option<Lease>,
    scheduler: Scheduler,
) {
    let mut connections = JoinSet::new();
    let clients = match &audience {
        Audience::Workers { .. } => None,
        Audience::Outside(policy, guard) => Some(Clients::new(*policy, guard.clone(), scheduler.clone())),
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = ending.requested() => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(accepted) if audience.admits(&accepted) => match (&audience, &clients) {
                (Audience::Workers { in_flight_max }, _) => {
                    let stream = leased(accepted.stream, lease.as_ref());
                    let served = serve_worker(stream, services.clone(), *in_flight_max, scheduler.clone());
                    scheduler.spawn_in(&mut connections, served);
                }
                (Audience::Outside(..), Some(clients)) => {
                    // One without a seat is closed here and costs no task.
                    if let Some(taken) = clients.seat() {
                        let stream = leased(accepted.stream, lease.as_ref());
                        let served = serve_seated(stream, services.clone(), clients.clone(), taken);
                        scheduler.spawn_in(&mut connections, served);
                    }
                }
                (Audience::Outside(..), None) => unreachable!("an audience outside has clients"),
            },
            Ok(_) => {}
            Err(_) => scheduler.sleep(ACCEPT_PAUSE).await,
        }
    }
    if let Some(clients) = clients {
        clients.end();
        while connections.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Accepted, Audience, ClientPolicy, Guard, Proof};

    #[test]
    fn only_who_is_of_this_user_or_run_is_a_worker_and_anybody_is_a_client() {
        let check = |audience: Audience, proof: Proof, admitted: bool| {
            let accepted = Accepted { stream: Box::new(tokio::io::empty()), proof };
            assert_eq!(audience.admits(&accepted), admitted);
        };
        check(Audience::Workers { in_flight_max: 1 }, Proof::OwnUser, true);
        check(Audience::Workers { in_flight_max: 1 }, Proof::OwnRun, true);
        check(Audience::Workers { in_flight_max: 1 }, Proof::None, false);
        check(Audience::Outside(ClientPolicy::default(), Guard::default()), Proof::OwnUser, true);
        check(Audience::Outside(ClientPolicy::default(), Guard::default()), Proof::None, true);
    }
}
