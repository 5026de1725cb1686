//! What an endpoint for clients outside of the program asks of them, and the most that it gives them.

use std::time::Duration;

use lp_base::words::Limit;

/// The terms on which clients outside of the program are served. They are those of one node, in each worker.
#[derive(Clone, Copy, Debug)]
pub struct ClientPolicy {
    /// The most connections at once. Where another one comes, the one that has been without a call for longest makes room.
    pub connections_max: usize,
    /// The most unanswered calls of one connection.
    pub calls_per_connection: u32,
    /// The most bytes that are kept for all clients together: of requests until they are answered, and of responses until
    /// they are taken.
    pub bytes_max: u64,
    /// How long a client may take to send a request, and to take its response.
    pub transfer_time: Duration,
    /// How long a connection may take to begin with HTTP/2.
    pub handshake_time: Duration,
    /// How long a connection stays open without a call.
    pub idle_time: Duration,
}

/// How long a connection may take to begin with HTTP/2: a client of any network does it in a second.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How long a connection stays open without a call. Clients make a new one when they need it.
pub const IDLE_TIME: Duration = Duration::from_secs(5 * 60);

impl Default for ClientPolicy {
    /// That of a node that says nothing of limits.
    fn default() -> Self {
        let default = |limit: Limit| limit.default().expect("these limits have defaults");
        Self {
            connections_max: default(Limit::ListenConnections) as usize,
            calls_per_connection: default(Limit::CallsPerConnection) as u32,
            bytes_max: default(Limit::ListenBytes),
            transfer_time: Duration::from_millis(default(Limit::ListenTime)),
            handshake_time: HANDSHAKE_TIME,
            idle_time: IDLE_TIME,
        }
    }
}
