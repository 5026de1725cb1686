//! TCP between hosts, on which a cut is noticed.

use std::io;
use std::time::Duration;

use lp_base::scheduler::Scheduler;
use rustix::net::sockopt;
use tokio::net::{TcpStream, lookup_host};

/// After what time without an answer a connection is lost: of the other host to what was sent, or to a question whether it is
/// still there.
pub(super) const LOST_TIME: Duration = Duration::from_secs(3);
/// How long a connection is silent before the other host is asked, and how often it is.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// Connects to `place`, a name or an address, and a port. The time that there is gets shared out among the addresses of a
/// name, so that one that does not answer leaves some for the next.
pub(super) async fn connect(place: &str, scheduler: &Scheduler) -> io::Result<TcpStream> {
    let started = scheduler.stopwatch();
    let addresses: Vec<_> = lookup_host(place).await?.collect();
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (place, address) in addresses.iter().enumerate() {
        let left = LOST_TIME.saturating_sub(started.elapsed());
        let share = left / u32::try_from(addresses.len() - place).unwrap_or(u32::MAX);
        let connected = scheduler.timeout(share, TcpStream::connect(address)).await;
        match connected.map_err(|_| no_answer()).flatten() {
            Ok(stream) => {
                prepare(&stream)?;
                return Ok(stream);
            }
            Err(failed) => error = failed,
        }
    }
    Err(error)
}

/// The error of a host that says nothing.
pub(super) fn no_answer() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer for {} s", LOST_TIME.as_secs()))
}

/// Has small calls go out at once, and a connection whose other end says nothing fail.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // Of what was sent and not acknowledged. Where it is set, it also counts for the questions below.
    sockopt::set_tcp_user_timeout(stream, u32::try_from(LOST_TIME.as_millis()).expect("it is seconds"))?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, ASK_INTERVAL)?;
    sockopt::set_tcp_keepintvl(stream, ASK_INTERVAL)?;
    Ok(())
}
