//! TCP sockets between machines: a link that is cut is noticed in seconds, as the loss of the connection.

use std::io;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;

/// How long what was sent may go unacknowledged.
pub const SILENCE_MAX: Duration = Duration::from_secs(3);

/// How long a connection is quiet before the other end is asked, and how often it is asked.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Sets a connection up.
///
/// # Errors
/// If the connection is gone already.
pub fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, PROBE_INTERVAL)?;
    sockopt::set_tcp_keepintvl(stream, PROBE_INTERVAL)?;
    let silence_ms = u32::try_from(SILENCE_MAX.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, silence_ms)?;
    Ok(())
}
