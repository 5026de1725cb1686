//! The log of the coordinator's Pod, which is the journal of its run, from where it was read last.

use futures::AsyncBufReadExt;
use k8s_openapi::jiff::Timestamp;
use kube::api::LogParams;

use super::api::Cluster;

/// The longest line of a log: what a replica may write at once, as JSON, many times over.
const LINE_BYTES_MAX: usize = 16 << 20;

/// Lines come with the moment in which they were written, by which it is known which ones were read: a log that is asked for again
/// starts at a second, and one that has become long has lost its beginning.
#[derive(Debug, Default)]
pub(super) struct Place {
    last: Option<Timestamp>,
    /// How many lines of that very moment were read.
    of_last: usize,
}

impl Place {
    /// What to ask for.
    fn params(&self, follows: bool) -> LogParams {
        LogParams { follow: follows, timestamps: true, since_time: self.last, ..LogParams::default() }
    }
}

/// Reads the log of a Pod from that place on, and hands over each line that was not read yet, with its end.
pub(super) async fn read(
    cluster: &Cluster,
    pod: &str,
    place: &mut Place,
    follows: bool,
    mut line: impl AsyncFnMut(&[u8]) -> Result<bool, std::io::Error>,
) -> kube::Result<()> {
    let mut stream = std::pin::pin!(cluster.pods().log_stream(pod, &place.params(follows)).await?);
    let (seen, mut again) = (place.last, place.of_last);
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = stream.as_mut().read_until(b'\n', &mut text).await.map_err(kube::Error::ReadEvents)?;
        // A line without an end is torn: it comes whole when the log is asked for again.
        if read == 0 || text.last() != Some(&b'\n') || text.len() > LINE_BYTES_MAX {
            return Ok(());
        }
        let (moment, rest) = split(&text);
        if let Some(moment) = moment {
            if seen.is_some_and(|seen| moment < seen) {
                continue;
            }
            if seen == Some(moment) && again > 0 {
                again -= 1;
                continue;
            }
            place.of_last = if place.last == Some(moment) { place.of_last + 1 } else { 1 };
            place.last = Some(moment);
        }
        if !line(rest).await.map_err(kube::Error::ReadEvents)? {
            return Ok(());
        }
    }
}

/// The moment of a line, and the line.
fn split(text: &[u8]) -> (Option<Timestamp>, &[u8]) {
    let Some(space) = text.iter().position(|&byte| byte == b' ') else { return (None, text) };
    let moment = std::str::from_utf8(&text[..space]).ok().and_then(|moment| moment.parse().ok());
    (moment, if moment.is_some() { &text[space + 1..] } else { text })
}
