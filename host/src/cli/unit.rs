//! `lp-host unit`: one process that the engine of a cluster has started, which runs what its coordinator asks it to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lp_agent::{Agent, Note, Observer, serve_streams};
use lp_base::replica::Stop;
use lp_base::scheduler::Scheduler;
use lp_remote::arrivals::{ArrivalError, Connection, come};
use lp_remote::key::{Fingerprint, Key};

use super::agent::{self, Setting};
use super::screen::{CliError, Screen, exit_code, with_causes};

/// How long it is before a coordinator that can't be reached is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Runs what the coordinator of a program asks it to, as one of the units that an engine has started
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the coordinator is, as `HOST:PORT`, or `@FILE` for a file that says so once it is known
    #[arg(long, value_name = "ADDRESS")]
    coordinator: String,
    /// The fingerprint of the coordinator's key
    #[arg(long, value_name = "FINGERPRINT")]
    known: Fingerprint,
    /// The file with the key of the units
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Which unit it is
    #[arg(long, value_name = "NAME")]
    name: String,
    /// A folder that has the components, by their digests; else the coordinator sends them
    #[arg(long, value_name = "DIR")]
    components: Option<PathBuf>,
    /// How many seconds a coordinator that can't be reached is tried for
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let failed = |error: std::io::Error| CliError::new(exit_code::NOT_LAUNCHED, error);
    let key = Key::load(&args.key)?;
    // One thread, which starts all processes: they end with it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let stop = Stop::default();
    let served = runtime.block_on(async {
        let stopping = async {
            agent::stopped().await.map_err(failed)?;
            stop.request();
            std::future::pending().await
        };
        tokio::select! {
            biased;
            served = serve(args, &key, &stop, screen) => served,
            failed = stopping => failed,
        }
    });
    runtime.shutdown_background();
    served.map(|()| 0)
}

/// Serves the coordinator until it has said that the run is over, or was away for too long.
async fn serve(args: &Args, key: &Key, stop: &Stop, screen: &Screen) -> Result<(), CliError> {
    let (scheduler, over) = (Scheduler::default(), Over::default());
    let mut agent = None;
    let mut since = tokio::time::Instant::now();
    loop {
        let error = match connect(args, key, &scheduler).await {
            Ok(stream) => {
                let own = stream.get_ref().0.local_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |own| own.ip());
                let agent = match &agent {
                    Some(agent) => agent,
                    None => agent.insert(new_agent(args, own, &over, stop)?),
                };
                serve_streams(agent, stream, "the coordinator".to_owned(), own.to_string()).await;
                if over.0.load(Ordering::SeqCst) || stop.is_requested() {
                    return Ok(());
                }
                screen.warning("the connection to the coordinator is lost");
                since = tokio::time::Instant::now();
                continue;
            }
            Err(error @ ArrivalError::Refused { .. }) => return Err(CliError::new(exit_code::NOT_LAUNCHED, error)),
            Err(error) => error,
        };
        if since.elapsed() >= Duration::from_secs(args.wait) {
            let error = format!("{}, after {} s", with_causes(&error), args.wait);
            return Err(CliError::new(exit_code::NOT_LAUNCHED, error));
        }
        tokio::select! {
            biased;
            () = stop.requested() => return Ok(()),
            () = tokio::time::sleep(RETRY_PAUSE) => {}
        }
    }
}

async fn connect(args: &Args, key: &Key, scheduler: &Scheduler) -> Result<Connection, ArrivalError> {
    let address = match args.coordinator.strip_prefix('@') {
        None => args.coordinator.clone(),
        Some(file) => {
            let text = std::fs::read_to_string(file);
            let text = text.map_err(|source| ArrivalError::NotReached { address: args.coordinator.clone(), source })?;
            text.trim().to_owned()
        }
    };
    come(&address, args.known, key, &args.name, scheduler).await
}

fn new_agent(args: &Args, own: IpAddr, over: &Over, stop: &Stop) -> Result<Arc<Agent>, CliError> {
    let setting = Setting {
        policy: None,
        components: args.components.clone(),
        bind: match own {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        },
        ports: None,
        advertise: None,
    };
    let options = agent::options(setting, Box::new(over.clone()))?;
    Agent::new(options, stop.clone()).map_err(|error| CliError::new(exit_code::NOT_LAUNCHED, error))
}

/// Whether the coordinator has said that the run is over.
#[derive(Clone, Default)]
struct Over(Arc<AtomicBool>);

impl Observer for Over {
    fn note(&self, note: Note) {
        if let Note::Ended { is_over: true, .. } = note {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}
