//! What a launcher and a worker process say to each other: one JSON object a line, over the worker's stdin and stdout.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use hdrhistogram::Histogram;
use lp_base::plan::{ReplicaId, Secrets};
use lp_base::replica::LineSource;
use lp_courier::grpc::Stranger;
use lp_courier::{Blocked, Crowd, Served, Standing};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::hardening::Hardened;
use crate::node::Change;
use crate::worker::{Order, ReplicaStats, WorkerCredentials};

/// What the launcher tells a worker. The end of its stdin tells it to end at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Command {
    /// What the guests are given that the plan does not say. It comes first, and once.
    Secrets {
        /// Those of the nodes of this worker.
        #[serde(with = "exposed")]
        secrets: Secrets,
    },
    /// What the worker's nodes show to others, and what others show to them. Comes next, and once.
    Credentials(WorkerCredentials),
    /// Something about the worker's replicas, or those of others.
    Order {
        /// The order.
        order: Order,
    },
    /// Whether guests are to wait before they write more output, since nobody reads what they wrote.
    HoldOutput {
        /// Whether they are.
        held: bool,
    },
    /// Answer with [`Report::Blocked`] of this very moment, and with this number.
    TellBlocked {
        /// The number of the question.
        question: u64,
    },
    /// Answer with [`Report::Standing`] of this very moment, and with this number.
    TellStanding {
        /// The number of the question.
        question: u64,
    },
    /// Answer with [`Report::Stats`] of every replica, then [`Report::StatsTold`].
    TellStats,
}

/// How secrets pass through a worker's stdin, the one place where they are written.
mod exposed {
    use std::collections::BTreeMap;

    use lp_base::plan::{NodeId, NodeSecrets, Secret, Secrets};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type Values = BTreeMap<String, String>;
    /// The key and the token of where a node listens.
    type Listen = (Option<String>, Option<String>);

    pub(super) fn serialize<S: Serializer>(secrets: &Secrets, serializer: S) -> Result<S::Ok, S::Error> {
        let values = |values: &BTreeMap<String, Secret>| -> Values {
            values.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
        };
        let exposed = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
        let nodes = secrets.nodes().map(|(node, secrets)| {
            let listen = (exposed(&secrets.listen_key), exposed(&secrets.listen_token));
            (node, values(&secrets.env), values(&secrets.config), listen)
        });
        nodes.collect::<Vec<(NodeId, Values, Values, Listen)>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secrets, D::Error> {
        let hidden = |values: Values| values.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
        let nodes = Vec::<(NodeId, Values, Values, Listen)>::deserialize(deserializer)?;
        let mut secrets = Secrets::default();
        for (node, env, config, (key, token)) in nodes {
            let (listen_key, listen_token) = (key.map(Secret::new), token.map(Secret::new));
            secrets.insert(node, NodeSecrets { env: hidden(env), config: hidden(config), listen_key, listen_token });
        }
        Ok(secrets)
    }
}

/// The command that gives a worker its secrets, for an agent, which has them where its launcher does not.
pub fn secrets_command(secrets: Secrets) -> Vec<u8> {
    let mut line = Vec::new();
    send(&mut line, &Command::Secrets { secrets }).expect("a command is JSON, and memory takes it");
    line
}

/// What a worker tells the launcher.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Report {
    /// The worker can start its replicas.
    Loaded {
        /// The walls around its process.
        hardened: Hardened,
        /// What the user should know of how it runs.
        warnings: Vec<String>,
    },
    /// The worker can't run its replicas, and ends.
    NotLoaded {
        /// Why.
        message: String,
    },
    /// Something happened to a replica.
    Node {
        /// The replica.
        replica: ReplicaId,
        /// What happened.
        change: Change,
    },
    /// What a replica has done since the worker was started.
    Stats(StatsReport),
    /// Every replica has been told of by [`Report::Stats`], as asked.
    StatsTold,
    /// Rebuilt nodes can't be run: they start as they were.
    NotRebuilt {
        /// Why.
        message: String,
    },
    /// Which replicas are blocked: all of them if asked, else those that have been so for a while.
    Blocked {
        /// The number of the question that this answers, if it answers one.
        question: Option<u64>,
        /// The holds that the worker takes part in.
        holds: Vec<Blocked>,
    },
    /// Which replicas work on calls and stand still: all that work on calls if asked, else those that have done so for a
    /// while, whenever they are others than before.
    Standing {
        /// The number of the question that this answers, if it answers one.
        question: Option<u64>,
        /// The replicas.
        standing: Vec<Standing>,
        /// The calls of this worker that wait for room.
        crowds: Vec<Crowd>,
    },
    /// A replica wrote a line.
    Line {
        /// The replica's label.
        replica: String,
        /// To which of its two streams.
        stream: LineSource,
        /// The line.
        line: String,
    },
    /// Another worker, of which the launcher has said that it takes calls, can't be reached. It is told once until it can be.
    Unreachable {
        /// The other worker, by its index in the plan.
        worker: usize,
        /// Why.
        why: String,
    },
    /// Somebody who is none of the run's knocked at the worker's port. The first of each kind is told of.
    Stranger {
        /// How it could be told.
        stranger: Stranger,
        /// Where it came from.
        from: SocketAddr,
    },
    /// A guest asked the program to stop.
    StopRequested,
}

/// What a replica has done, as numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatsReport {
    /// The replica.
    pub replica: ReplicaId,
    calls: u64,
    errors: u64,
    /// The values of the latency histogram that occurred, with how often they did.
    latency_ns: Vec<(u64, u64)>,
    busy_ns: u64,
    memory_bytes: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    waits: Vec<String>,
}

impl StatsReport {
    /// The numbers of `stats`.
    pub fn new(replica: ReplicaId, stats: &ReplicaStats) -> Self {
        let recorded = stats.served.latency_ns.iter_recorded();
        Self {
            replica,
            calls: stats.served.calls,
            errors: stats.served.errors,
            latency_ns: recorded.map(|value| (value.value_iterated_to(), value.count_at_value().into())).collect(),
            busy_ns: u64::try_from(stats.busy.as_nanos()).unwrap_or(u64::MAX),
            memory_bytes: stats.memory_bytes,
            waits: stats.waits.clone(),
        }
    }

    /// The numbers added to those of an earlier process of the same worker.
    pub fn added_to(&self, earlier: Option<&ReplicaStats>) -> ReplicaStats {
        let mut stats = earlier.cloned().unwrap_or_else(|| ReplicaStats {
            served: Served {
                calls: 0,
                errors: 0,
                latency_ns: Histogram::new(2).expect("two significant digits are in the allowed range"),
            },
            busy: Duration::ZERO,
            memory_bytes: 0,
            waits: Vec::new(),
        });
        stats.served.calls += self.calls;
        stats.served.errors += self.errors;
        stats.memory_bytes = self.memory_bytes;
        stats.waits.clone_from(&self.waits);
        stats.busy += Duration::from_nanos(self.busy_ns);
        for &(value, count) in &self.latency_ns {
            // A histogram that grows has room for any value that another one had.
            let _ = stats.served.latency_ns.record_n(value, u32::try_from(count).unwrap_or(u32::MAX));
        }
        stats
    }
}

/// Writes one message.
pub fn send(writer: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message).map_err(io::Error::other)?;
    line.push(b'\n');
    writer.write_all(&line)?;
    writer.flush()
}

/// The messages of `reader`, until its end or an error.
pub fn receive<M: DeserializeOwned>(reader: impl Read) -> impl Iterator<Item = io::Result<M>> {
    let lines = BufReader::new(reader).split(b'\n');
    lines.map(|line| serde_json::from_slice(&line?).map_err(io::Error::other))
}

#[cfg(test)]
mod tests {
    use lp_base::plan::{NodeId, NodeSecrets, Secret};
    use lp_base::replica::Failure;

    use super::*;

    #[test]
    fn reports_survive_the_way_through_a_pipe() {
        let replica = ReplicaId { node: NodeId(1), index: 2 };
        let failure = Failure { summary: "line\nbreak".to_owned(), stack: Some("0: f\n1: g".to_owned()) };
        let report = Report::Node { replica, change: Change::Failed { failure, memory_peak: 7 } };
        let mut pipe = Vec::new();
        send(&mut pipe, &report).unwrap();
        send(&mut pipe, &Report::StopRequested).unwrap();
        let received: Vec<Report> = receive(pipe.as_slice()).collect::<io::Result<_>>().unwrap();
        assert_eq!(format!("{received:?}"), format!("{:?}", [report, Report::StopRequested]));
    }

    #[test]
    fn secrets_survive_the_way_through_a_pipe_and_are_not_printed() {
        let mut secrets = Secrets::default();
        let of_node = NodeSecrets {
            config: [("k".to_owned(), Secret::new("a\n\"b"))].into(),
            listen_key: Some(Secret::new("c\"b")),
            ..NodeSecrets::default()
        };
        secrets.insert(NodeId(1), of_node);
        let command = Command::Secrets { secrets };
        let mut pipe = Vec::new();
        send(&mut pipe, &command).unwrap();
        let received: Vec<Command> = receive(pipe.as_slice()).collect::<io::Result<_>>().unwrap();
        assert_eq!(received, [command]);
        assert!(!format!("{received:?}").contains("\"b"), "{received:?}");
    }

    #[test]
    fn stats_add_up_over_the_processes_of_a_worker() {
        let mut latency_ns = Histogram::new(2).unwrap();
        latency_ns.record_n(1000, 3).unwrap();
        let stats = ReplicaStats {
            served: Served { calls: 3, errors: 1, latency_ns },
            busy: Duration::from_millis(5),
            memory_bytes: 1,
            waits: Vec::new(),
        };
        let report = StatsReport::new(ReplicaId { node: NodeId(0), index: 0 }, &stats);
        let sum = report.added_to(Some(&stats));
        assert_eq!((sum.served.calls, sum.served.errors, sum.busy), (6, 2, Duration::from_millis(10)));
        assert_eq!((sum.served.latency_ns.len(), sum.served.latency_ns.value_at_quantile(0.5)), (6, 1003));
    }
}
