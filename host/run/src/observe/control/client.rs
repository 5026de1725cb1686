//! The side of the control socket that asks.

use std::io;
use std::path::Path;

use lp_courier::Credential;
use lp_trust::WorkerTls;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::{Reply, Request, RunStatus};

/// Why a run did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The run can't be reached or broke the connection off.
    #[error("failed to talk to the run")]
    Io(#[from] io::Error),
    /// The run ended before it answered.
    #[error("the run ended before it answered")]
    Ended,
    /// The run answered something else, as one of another version might.
    #[error("failed to understand the run; it may be of another version of lp-host")]
    Answer(#[from] serde_json::Error),
    /// The run refused, and says why.
    #[error("{0}")]
    Refused(String),
}

/// A connection to a run.
pub struct Client {
    replies: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

impl Client {
    /// Connects to the run whose control socket is `socket`.
    pub async fn connect(socket: &Path) -> io::Result<Self> {
        let (reader, writer) = UnixStream::connect(socket).await?.into_split();
        Ok(Self { replies: BufReader::new(reader).lines(), writer })
    }

    /// What the run is doing.
    pub async fn status(&mut self) -> Result<RunStatus, ClientError> {
        self.send(&Request::Status {}).await?;
        match self.reply().await? {
            Some(Reply::Status(status)) => Ok(status),
            _ => Err(ClientError::Ended),
        }
    }

    /// What to show to `node` in order to call it, and to the host that it is on if it is on another one.
    pub async fn credential(&mut self, node: &str) -> Result<(Credential, Option<WorkerTls>), ClientError> {
        self.send(&Request::Credential { node: node.to_owned() }).await?;
        match self.reply().await? {
            Some(Reply::Credential { credential, identity }) => Ok((credential, identity)),
            _ => Err(ClientError::Ended),
        }
    }

    /// Asks something; [`Self::reply`] has the answers.
    pub async fn send(&mut self, request: &Request) -> Result<(), ClientError> {
        let mut text = serde_json::to_vec(request)?;
        text.push(b'\n');
        Ok(self.writer.write_all(&text).await?)
    }

    /// The next answer; `None` if the run ended without one.
    pub async fn reply(&mut self) -> Result<Option<Reply>, ClientError> {
        let Some(line) = self.replies.next_line().await? else { return Ok(None) };
        match serde_json::from_str(&line)? {
            Reply::Error { message } => Err(ClientError::Refused(message)),
            reply => Ok(Some(reply)),
        }
    }
}
