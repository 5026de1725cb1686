//! `lp-host agent`: lets launchers run the workers of their programs on this machine.

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use lp_agent::{Agent, AgentOptions, Ceilings, Note, Observer, serve, serve_streams};
use lp_base::replica::Stop;
use lp_base::scheduler::Scheduler;
use lp_program::program::OperatorPolicy;
use lp_remote::hosts::AGENT_PORT;
use lp_remote::key::KnownLaunchers;
use lp_remote::protocol::PROTOCOL;
use lp_runtime::CompileCache;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, Stdin, Stdout};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::hosts::{agent_key, config_dir};
use super::screen::{CliError, Screen, exit_code};
use super::{caches, runs, secrets, worker};

/// Lets launchers run programs on this machine, as `lp-host run --hosts` asks it to
///
/// It serves the launchers whose keys are in its file of launchers, one line of `lp-host identity` each, and nobody else. What a
/// launcher starts here ends when the agent has not heard of it for the time of its lease.
///
/// Nodes are granted what is on this machine: directories, files, variables and secrets. `--policy` bounds what they may have.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where launchers reach it
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from(([0, 0, 0, 0], AGENT_PORT)))]
    listen: SocketAddr,
    /// The ports at which workers listen for each other, such as `7500-7599`; any if it is not said
    #[arg(long, value_name = "FIRST-LAST", value_parser = ports)]
    ports: Option<RangeInclusive<u16>>,
    /// The name or address by which other hosts reach this one, if not the one by which launchers do
    #[arg(long, value_name = "NAME")]
    advertise: Option<String>,
    /// The file of the launchers that are served; `launchers` in `~/.config/lp-host` if it is not said
    #[arg(long, value_name = "FILE")]
    launchers: Option<PathBuf>,
    /// Hold all programs to the policy in this file: what they may have on this machine at most, each by itself and together
    #[arg(long, value_name = "FILE", visible_alias = "limits")]
    policy: Option<PathBuf>,
    /// Show the fingerprint of the agent's key, for the file of hosts, and exit
    #[arg(long)]
    print_fingerprint: bool,
    /// Serve the launcher at the standard streams, which ssh has let in
    #[arg(long, hide = true)]
    stdio: bool,
    /// Show the protocol, and exit
    #[arg(long, hide = true)]
    print_protocol: bool,
    /// The folder of this very program, which is deleted in the end
    #[arg(long, hide = true, value_name = "DIR", requires = "stdio")]
    remove: Option<PathBuf>,
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let parsed = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    match parsed {
        Some((first, last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err("a range of ports is such as `7500-7599`".to_owned()),
    }
}

fn not_launched(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CliError {
    CliError::new(exit_code::NOT_LAUNCHED, error)
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    if args.print_protocol {
        screen.data(&format!("{PROTOCOL}\n"));
        return Ok(0);
    }
    if args.print_fingerprint {
        screen.data(&format!("{}\n", agent_key()?.fingerprint()));
        return Ok(0);
    }
    let (notes_tx, mut notes) = mpsc::unbounded_channel();
    let setting = Setting {
        policy: args.policy.clone(),
        components: None,
        bind: if args.stdio { IpAddr::from([0, 0, 0, 0]) } else { args.listen.ip() },
        ports: args.ports.clone(),
        advertise: args.advertise.clone(),
    };
    let options = options(setting, Box::new(Notes(notes_tx)))?;
    // One thread, which starts all processes: they end with it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(not_launched)?;
    let served = runtime.block_on(async {
        let stop = Stop::default();
        let agent = Agent::new(options, stop.clone()).map_err(not_launched)?;
        let serving = async {
            match args.stdio {
                true => serve_stdio(&agent, args.advertise.as_deref()).await,
                false => serve_network(&agent, args, screen).await,
            }
        };
        let showing = async {
            while let Some(note) = notes.recv().await {
                // A launcher at the other end of ssh is told by other means.
                if !args.stdio {
                    show(&note, screen);
                }
            }
            pending().await
        };
        let stopping = async {
            stopped().await.map_err(not_launched)?;
            stop.request();
            pending().await
        };
        tokio::select! {
            biased;
            served = serving => served,
            () = showing => Ok(()),
            failed = stopping => failed,
        }
    });
    runtime.shutdown_background();
    if let Some(dir) = &args.remove {
        remove_self(dir);
    }
    served.map(|()| 0)
}

/// What agents differ in.
pub(super) struct Setting {
    /// The file of what their operator allows.
    pub policy: Option<PathBuf>,
    /// The folder of components, if it is not the usual one.
    pub components: Option<PathBuf>,
    /// Where workers listen.
    pub bind: IpAddr,
    pub ports: Option<RangeInclusive<u16>>,
    pub advertise: Option<String>,
}

pub(super) fn options(setting: Setting, observer: Box<dyn Observer>) -> Result<AgentOptions, CliError> {
    let ceilings = setting.policy.as_deref().map(OperatorPolicy::load).transpose()?;
    let cache_bytes_max = caches::compiled_bytes_max()?;
    let no_cache = || not_launched("there is no folder for components: set `HOME` or `XDG_CACHE_HOME`");
    let cache_dir = caches::compiled().ok_or_else(no_cache)?;
    let scheduler = Scheduler::default();
    let cache = CompileCache::open(&cache_dir, &scheduler).map_err(not_launched)?.bounded(cache_bytes_max);
    Ok(AgentOptions {
        command: worker::command(Some(&cache_dir), cache_bytes_max).map_err(not_launched)?,
        leases: runs::registry()?.leases()?,
        components: setting.components.or_else(caches::components).ok_or_else(no_cache)?,
        cache,
        ceilings: Ceilings(ceilings.unwrap_or_default()),
        bind: setting.bind,
        ports: setting.ports,
        advertise: setting.advertise,
        secrets: Box::new(|plan, nodes| {
            secrets::read_of(plan, nodes.iter().copied()).map_err(|missing| missing.to_string())
        }),
        observer,
        scheduler,
    })
}

async fn serve_network(agent: &Arc<Agent>, args: &Args, screen: &Screen) -> Result<(), CliError> {
    let key = agent_key()?;
    let launchers = match &args.launchers {
        Some(file) => file.clone(),
        None => config_dir()?.join("launchers"),
    };
    let listener = TcpListener::bind(args.listen).await;
    let listener =
        listener.map_err(|error| not_launched(format!("the agent can't listen at {}: {error}", args.listen)))?;
    let address = listener.local_addr().map_err(not_launched)?;
    screen.note(&format!("listening at {address}, with the fingerprint {}", key.fingerprint()));
    tell_of_launchers(&launchers, screen);
    serve(agent, listener, &key, launchers).await.map_err(not_launched)
}

fn tell_of_launchers(file: &Path, screen: &Screen) {
    let shown = file.display();
    match KnownLaunchers::read(file) {
        Ok(known) if known.count() > 0 => {
            let count = known.count();
            screen.note(&format!("{count} launcher{} may use it, by `{shown}`", if count == 1 { "" } else { "s" }));
        }
        Ok(_) => screen.warning(&format!("nobody may use it yet: add a line of `lp-host identity` to `{shown}`")),
        Err(error) => {
            let error = super::screen::with_causes(&error);
            screen
                .warning(&format!("nobody may use it yet, until `{shown}` has a line of `lp-host identity`: {error}"));
        }
    }
}

async fn serve_stdio(agent: &Arc<Agent>, advertise: Option<&str>) -> Result<(), CliError> {
    let streams = Streams(tokio::io::stdin(), tokio::io::stdout());
    serve_streams(agent, streams, "ssh".to_owned(), advertised_by_ssh(advertise)).await;
    Ok(())
}

/// How other hosts reach this one: as the client of ssh did, if nothing else is said.
fn advertised_by_ssh(advertise: Option<&str>) -> String {
    let connection = std::env::var("SSH_CONNECTION").unwrap_or_default();
    let own = connection.split(' ').nth(2).filter(|own| !own.is_empty());
    advertise.or(own).unwrap_or("127.0.0.1").to_owned()
}

/// Waits for a signal that ends the agent.
pub(super) async fn stopped() -> io::Result<()> {
    let [mut interrupted, mut terminated, mut hung_up] =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    tokio::select! {
        biased;
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
        _ = hung_up.recv() => {}
    }
    Ok(())
}

/// Deletes the copy of this program that was made for one run, and its folder if nothing else is in it.
fn remove_self(dir: &Path) {
    let program = dir.join("lp-host");
    if std::env::current_exe().is_ok_and(|own| own == program) {
        // What can't be deleted stays among the temporary files.
        let _ = std::fs::remove_file(program).and_then(|()| std::fs::remove_dir(dir));
    }
}

struct Notes(mpsc::UnboundedSender<Note>);

impl Observer for Notes {
    fn note(&self, note: Note) {
        // It is shown as long as the agent runs.
        let _ = self.0.send(note);
    }
}

fn show(note: &Note, screen: &Screen) {
    let text = |text: String| lp_base::shown::line(&text).into_owned();
    match note {
        Note::Leased { launcher, run, workers } => {
            let many = if *workers == 1 { "" } else { "s" };
            screen.note(&text(format!("`{launcher}` runs `{run}` here, with {workers} worker{many}")));
        }
        Note::Received { launcher, component, bytes_len } => {
            let size = *bytes_len as f64 / f64::from(1 << 20);
            screen.note(&text(format!("received a component of `{launcher}` ({size:.1} MiB, {component})")));
        }
        Note::Ended { run, reason, .. } => screen.note(&text(format!("`{run}` has ended here: {reason}"))),
        Note::Refused { from, reason } => screen.warning(&text(format!("refused {from}: {reason}"))),
    }
}

/// The standard streams as one.
struct Streams(Stdin, Stdout);

impl AsyncRead for Streams {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Streams {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.1).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.1).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.1).poll_shutdown(cx)
    }
}
