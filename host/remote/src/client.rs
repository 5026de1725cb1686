//! The launcher's end of a connection to an agent.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::TokioIo;
use lp_base::replica::Stop;
use lp_base::scheduler::{Scheduler, Task};
use lp_base::words::Digest;
use rustls::AlertDescription;
use rustls::pki_types::ServerName;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use crate::body::{self, Lines, Outgoing, Sender};
use crate::hosts::{Host, Reach};
use crate::key::{Fingerprint, Key};
use crate::protocol::{Answer, LeaseRequest, PLACE_FIELD, PROTOCOL, PROTOCOL_FIELD, Renewal, WorkerPlace};
use crate::ssh::Said;
use crate::{socket, ssh, tls};

/// How long connecting may take, with its handshake. ssh has its own opinion of that.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// How long an agent may take to give a lease: it reads the plan, and writes it.
const LEASE_TIME: Duration = Duration::from_secs(30);

/// How long a request that failed waits for the end of its connection, which says why.
const END_TIME: Duration = Duration::from_secs(1);

/// How much may be under way to one reader: the windows of HTTP/2.
const WINDOW_BYTES: u32 = 4 << 20;

/// The longest reason of a refusal.
const REASON_BYTES_MAX: usize = 16 << 10;

/// How much longer than a lease a launcher waits, for what clocks differ in and for the end of processes.
const LEASE_MARGIN: Duration = Duration::from_millis(250);

/// Why an agent does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It can't be reached.
    #[error("`{address}` can't be reached")]
    NotReached {
        /// Where it should be.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is another one.
    #[error(
        "the agent at `{address}` has the key {seen}, not the one that `fingerprint` says: if that is right, change it"
    )]
    OtherKey {
        /// Where it is.
        address: String,
        /// The key that it has.
        seen: Fingerprint,
    },
    /// It does not know this launcher.
    #[error("the agent does not know this launcher: add the line `{0}` to its file of launchers")]
    Unknown(Fingerprint),
    /// It was not started by ssh, or has ended.
    #[error("`ssh {destination} {command} agent` has ended: {said}{}", mend(said))]
    Ssh {
        /// Where to.
        destination: String,
        /// What was started.
        command: String,
        /// What ssh said.
        said: String,
    },
    /// It did not come.
    #[error("it has not come within {0:?}: its engine has not started it, or it can't reach the launcher")]
    NotCome(Duration),
    /// It refused.
    #[error("{0}")]
    Refused(String),
    /// The connection was lost.
    #[error("the connection to it was lost")]
    Lost(#[source] Box<dyn Error + Send + Sync>),
}

fn mend(said: &str) -> &'static str {
    match said.contains("not found") || said.contains("No such file") {
        true => "; install lp-host there, say where it is by `command`, or have it copied by `copy = true`",
        false => "",
    }
}

/// A connection to an agent. Dropping it ends its lease.
pub struct Agent {
    sender: SendRequest<Outgoing>,
    /// By which it would know this launcher.
    own: Option<Fingerprint>,
    ssh: Option<(String, String, Said)>,
    /// How the connection ended, once it has.
    end: watch::Receiver<Option<Arc<hyper::Error>>>,
    scheduler: Scheduler,
    _driving: Task<()>,
}

/// Runs the tasks of a connection.
#[derive(Clone, Debug)]
pub struct Tasks(pub Scheduler);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.0.spawn(future).detach();
    }
}

impl Agent {
    /// Connects to the agent of `host`.
    ///
    /// # Errors
    /// If it can't be reached, or is not the one that it should be.
    pub async fn connect(host: &Host, key: &Key, scheduler: &Scheduler) -> Result<Self, AgentError> {
        match &host.reach {
            Reach::Tcp { address, fingerprint } => {
                let not_reached = |source| AgentError::NotReached { address: address.clone(), source };
                let connecting = scheduler.timeout(CONNECT_TIME, connect_tls(address, *fingerprint, key)).await;
                let stream = connecting.map_err(|_| not_reached(io::ErrorKind::TimedOut.into()))??;
                let handshake = scheduler.timeout(CONNECT_TIME, Self::over(stream, scheduler)).await;
                let mut agent = handshake.map_err(|_| not_reached(io::ErrorKind::TimedOut.into()))??;
                agent.own = Some(key.fingerprint());
                Ok(agent)
            }
            Reach::Arrives { arrival, wait } => {
                let come = scheduler.timeout(*wait, arrival.next()).await;
                Self::over(come.map_err(|_| AgentError::NotCome(*wait))?, scheduler).await
            }
            Reach::Ssh { destination, command, copy } => {
                let started = ssh::start(destination, command, *copy, scheduler).await;
                let (streams, said) = started
                    .map_err(|source| AgentError::NotReached { address: format!("ssh {destination}"), source })?;
                let ssh = (destination.clone(), command.clone(), said);
                match Self::over(streams, scheduler).await {
                    Ok(agent) => Ok(Self { ssh: Some(ssh), ..agent }),
                    Err(error) => Err(ended(&ssh, scheduler).await.unwrap_or(error)),
                }
            }
        }
    }

    /// Speaks with the agent at the other end of `stream`.
    ///
    /// # Errors
    /// If it speaks something else.
    pub async fn over<S>(stream: S, scheduler: &Scheduler) -> Result<Self, AgentError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut builder = hyper::client::conn::http2::Builder::new(Tasks(scheduler.clone()));
        builder.initial_stream_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(lost)?;
        let (ended, end) = watch::channel(None);
        let driving = scheduler.spawn(async move {
            if let Err(error) = connection.await {
                ended.send_replace(Some(Arc::new(error)));
            }
        });
        Ok(Self { sender, own: None, ssh: None, end, scheduler: scheduler.clone(), _driving: driving })
    }

    /// Asks for a lease.
    ///
    /// # Errors
    /// If the agent refuses, or was lost.
    pub async fn lease(&self, request: &LeaseRequest) -> Result<KeptLease, AgentError> {
        // ssh may ask its user for something first.
        match self.ssh {
            Some(_) => self.leased(request).await,
            None => {
                let silent = |_| lost(io::Error::from(io::ErrorKind::TimedOut));
                self.scheduler.timeout(LEASE_TIME, self.leased(request)).await.map_err(silent)?
            }
        }
    }

    async fn leased(&self, request: &LeaseRequest) -> Result<KeptLease, AgentError> {
        let (answers, body) = body::channel();
        let (_, response) = futures::join!(
            // What it does not take, it refuses or has lost.
            async {
                let _ = answers.line(request).await;
            },
            self.send(Method::POST, "/lease", body)
        );
        let mut renewals = Lines::of(response?.into_body());
        let Some(first) = renewals.next().await.map_err(lost)? else { return Err(self.closed().await) };
        match first {
            Renewal::Given => {}
            Renewal::Over { reason } => return Err(AgentError::Refused(reason)),
            Renewal::Asked { .. } => return Err(AgentError::Refused("it gives no lease".to_owned())),
        }
        Ok(KeptLease { answers, renewals, lease: Duration::from_millis(request.lease_ms) })
    }

    /// Gives it a component.
    ///
    /// # Errors
    /// If the agent refuses, or was lost.
    pub async fn put(&self, digest: Digest, bytes: Bytes) -> Result<(), AgentError> {
        self.send(Method::PUT, &format!("/component/{digest}"), body::full(bytes)).await.map(drop)
    }

    /// Asks for something, and gives what it says as lines.
    ///
    /// # Errors
    /// If the agent refuses, or was lost.
    pub async fn ask(&self, path: &str, request: &impl Serialize) -> Result<Lines, AgentError> {
        let line = body::json_line(request).map_err(lost)?;
        Ok(Lines::of(self.send(Method::POST, path, body::full(line)).await?.into_body()))
    }

    /// Starts a worker, whose commands are what is written to the sender. Gives where it runs, and its reports.
    ///
    /// # Errors
    /// If the agent refuses, or was lost.
    pub async fn start(&self, worker: usize) -> Result<(WorkerPlace, Sender, Incoming), AgentError> {
        let (commands, body) = body::channel();
        let response = self.send(Method::POST, &format!("/worker/{worker}"), body).await?;
        let place = response.headers().get(PLACE_FIELD).and_then(|place| serde_json::from_slice(place.as_bytes()).ok());
        let place = place.ok_or_else(|| AgentError::Refused("it does not say where the worker is".to_owned()))?;
        Ok((place, commands, response.into_body()))
    }

    async fn send(&self, method: Method, path: &str, body: Outgoing) -> Result<Response<Incoming>, AgentError> {
        // HTTP/2 wants a name of the server, which nothing here goes by.
        let request = Request::builder().method(method).uri(format!("http://agent{path}"));
        let request = request.header(PROTOCOL_FIELD, PROTOCOL).body(body).expect("its parts are plain");
        let response = match self.sender.clone().send_request(request).await {
            Ok(response) => response,
            Err(error) => return Err(self.failed(error).await),
        };
        match response.status() {
            StatusCode::OK => Ok(response),
            _ => {
                let reason = body::text(response.into_body(), REASON_BYTES_MAX).await.map_err(lost)?;
                Err(AgentError::Refused(reason))
            }
        }
    }

    /// Why a request failed: the end of the connection says more than what became of the request.
    async fn failed(&self, error: hyper::Error) -> AgentError {
        if let Some(ended) = self.ended().await {
            return ended;
        }
        let mut end = self.end.clone();
        let ended = self.scheduler.timeout(END_TIME, end.wait_for(Option::is_some)).await;
        // There is none if the connection has ended well, or goes on.
        let cause = ended.ok().and_then(Result::ok).and_then(|cause| cause.clone());
        match (self.own, cause) {
            (Some(own), Some(cause)) if is_refused_key(&cause) => AgentError::Unknown(own),
            (_, Some(cause)) => lost(cause),
            (_, None) => lost(error),
        }
    }

    async fn closed(&self) -> AgentError {
        self.ended().await.unwrap_or_else(|| lost(io::Error::from(io::ErrorKind::UnexpectedEof)))
    }

    /// The end of the ssh that the agent is reached by, if it said why.
    async fn ended(&self) -> Option<AgentError> {
        ended(self.ssh.as_ref()?, &self.scheduler).await
    }
}

fn lost(error: impl Into<Box<dyn Error + Send + Sync>>) -> AgentError {
    AgentError::Lost(error.into())
}

/// The end of an ssh that said why. One that goes on has said what there is.
async fn ended((destination, command, said): &(String, String, Said), scheduler: &Scheduler) -> Option<AgentError> {
    let _ = scheduler.timeout(END_TIME, said.all()).await;
    let said = said.text();
    let (destination, command) = (destination.clone(), command.clone());
    (!said.is_empty()).then_some(AgentError::Ssh { destination, command, said })
}

/// Whether the other end broke off because of this end's key: in TLS 1.3 the client learns that after its handshake.
fn is_refused_key(error: &hyper::Error) -> bool {
    let alert = AlertDescription::AccessDenied;
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        // h2 keeps of an error of its stream no more than the text.
        if error.to_string().ends_with(&rustls::Error::AlertReceived(alert).to_string()) {
            return true;
        }
        cause = error.source();
    }
    false
}

async fn connect_tls(
    address: &str,
    fingerprint: Fingerprint,
    key: &Key,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, AgentError> {
    let not_reached = |source| AgentError::NotReached { address: address.to_owned(), source };
    let stream = TcpStream::connect(address).await.map_err(not_reached)?;
    socket::set_up(&stream).map_err(not_reached)?;
    let (config, seen) =
        tls::client_config(key, fingerprint, tls::AGENT_ALPN).map_err(|error| not_reached(io::Error::other(error)))?;
    // The key says who it is.
    let name = ServerName::try_from("agent").expect("it is a name");
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    connected.map_err(|source| match seen.other() {
        Some(seen) => AgentError::OtherKey { address: address.to_owned(), seen },
        None => not_reached(source),
    })
}

/// A lease, and the renewals that keep it.
pub struct KeptLease {
    answers: Sender,
    renewals: Lines,
    lease: Duration,
}

/// A lease that is over.
#[derive(Debug)]
pub struct Over {
    /// Why.
    pub reason: String,
    /// When the agent has ended all that it had started, at the latest.
    pub by: Instant,
}

impl KeptLease {
    /// Answers until the lease is over, which `ending` asks for.
    pub async fn keep(mut self, ending: &Stop, scheduler: &Scheduler) -> Over {
        let mut answered = scheduler.now();
        let mut answers = Some(self.answers);
        let reason = loop {
            let renewal = tokio::select! {
                biased;
                // The end of the answers ends the lease, which the agent tells.
                () = ending.requested(), if answers.is_some() => {
                    answers = None;
                    continue;
                }
                renewal = scheduler.timeout(self.lease, self.renewals.next()) => renewal,
            };
            match renewal {
                Ok(Ok(Some(Renewal::Given))) => {}
                Ok(Ok(Some(Renewal::Asked { number }))) => {
                    let Some(answers) = &answers else { continue };
                    answered = scheduler.now();
                    match scheduler.timeout(self.lease, answers.line(&Answer { number })).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => break "the connection to it was closed".to_owned(),
                        Err(_) => break "it takes no answers".to_owned(),
                    }
                }
                Ok(Ok(Some(Renewal::Over { reason }))) => break reason,
                Ok(Ok(None)) => break "the connection to it was closed".to_owned(),
                Ok(Err(error)) => break format!("the connection to it was lost: {error}"),
                Err(_) => break format!("nothing was heard of it for {:?}", self.lease),
            }
        };
        Over { reason, by: answered + self.lease + LEASE_MARGIN }
    }
}
