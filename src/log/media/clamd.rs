//! clamd as a scanner, over TCP or a socket of the machine. A connection for each file; every step has a deadline.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use crate::protocol::clamd::{ANSWER, CHUNK, Finding, INSTREAM, finding, length};

use super::scan::{Scan, Scanner};
use super::store::{MediaError, MediaFuture};

/// Where clamd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClamdAddress {
    /// `host:port`.
    Tcp(String),
    /// A socket of this machine.
    Unix(PathBuf),
}

/// The scanner.
#[derive(Debug)]
pub struct Clamd {
    address: ClamdAddress,
    deadline: Duration,
}

trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

/// A file on its way through.
struct Stream {
    connection: Box<dyn Duplex>,
    deadline: Duration,
}

impl Clamd {
    /// The scanner at an address, each of whose steps may take so long.
    #[must_use]
    pub fn new(address: ClamdAddress, deadline: Duration) -> Self {
        Self { address, deadline }
    }
}

impl Scanner for Clamd {
    fn begin(&self) -> MediaFuture<'_, Box<dyn Scan>> {
        let begin = async {
            let mut connection: Box<dyn Duplex> = match &self.address {
                ClamdAddress::Tcp(address) => Box::new(TcpStream::connect(address).await?),
                ClamdAddress::Unix(path) => Box::new(UnixStream::connect(path).await?),
            };
            connection.write_all(INSTREAM).await?;
            let scan: Box<dyn Scan> = Box::new(Stream {
                connection,
                deadline: self.deadline,
            });
            Ok(scan)
        };
        within(self.deadline, begin).boxed_local()
    }
}

impl Scan for Stream {
    fn show(&mut self, bytes: Bytes) -> MediaFuture<'_, ()> {
        let deadline = self.deadline;
        let show = async move {
            for chunk in bytes.chunks(CHUNK) {
                self.connection.write_all(&length(chunk.len())).await?;
                self.connection.write_all(chunk).await?;
            }
            Ok(())
        };
        within(deadline, show).boxed_local()
    }

    fn finding(mut self: Box<Self>) -> MediaFuture<'static, Finding> {
        let deadline = self.deadline;
        let ask = async move {
            self.connection.write_all(&length(0)).await?;
            self.connection.flush().await?;
            let mut answer = Vec::new();
            let mut piece = [0; 256];
            loop {
                let read = self.connection.read(&mut piece).await?;
                answer.extend_from_slice(&piece[..read]);
                if read == 0 || answer.ends_with(b"\0") || answer.len() > ANSWER {
                    break;
                }
            }
            finding(&answer).map_err(std::io::Error::other)
        };
        within(deadline, ask).boxed_local()
    }
}

/// The step, if it ends in time. A file that nobody has looked at is nobody's, whatever the reason.
async fn within<T>(
    deadline: Duration,
    step: impl Future<Output = std::io::Result<T>>,
) -> Result<T, MediaError> {
    let why = match tokio::time::timeout(deadline, step).await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it did not answer in time".to_owned(),
    };
    tracing::warn!(reason = why, "the virus scanner is away");
    Err(MediaError::Unscanned)
}
