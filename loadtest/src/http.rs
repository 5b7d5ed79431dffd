//! One keep-alive HTTP connection, as a browser holds it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Where a server listens.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its address.
    pub addr: SocketAddr,
    /// TLS, where it speaks it.
    pub tls: Option<Arc<ClientConfig>>,
    /// The name asked for. TLS sessions are taken up again under the same one only.
    pub name: ServerName<'static>,
    /// What the kernel takes in before it is read, bytes; the usual where it is not said.
    pub receive: Option<u32>,
}

/// A byte stream to a server.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

impl Target {
    /// A target without a name of its own.
    pub fn of(addr: SocketAddr, tls: Option<Arc<ClientConfig>>) -> Self {
        let name = ServerName::try_from("localhost").unwrap_or(ServerName::IpAddress(addr.ip().into()));
        Self {
            addr,
            tls,
            name,
            receive: None,
        }
    }

    /// The same by another name.
    pub fn by_name(&self, name: &str) -> Self {
        let name = ServerName::try_from(name.to_owned()).unwrap_or_else(|_| self.name.clone());
        Self { name, ..self.clone() }
    }

    /// The same by a reader whose kernel takes in no more than this.
    pub fn reading(&self, bytes: u32) -> Self {
        Self {
            receive: Some(bytes),
            ..self.clone()
        }
    }

    /// The same with no memory of TLS sessions: every handshake is a full one.
    pub fn forgetful(&self) -> Self {
        self.with_tls(|tls| tls.resumption = Resumption::disabled())
    }

    /// The same over HTTP/2.
    pub fn over_http2(&self) -> Self {
        self.with_tls(|tls| tls.alpn_protocols = vec![b"h2".to_vec()])
    }

    fn with_tls(&self, change: impl FnOnce(&mut ClientConfig)) -> Self {
        let tls = self.tls.as_deref().map(|tls| {
            let mut tls = tls.clone();
            change(&mut tls);
            Arc::new(tls)
        });
        Self { tls, ..self.clone() }
    }

    /// Opens a connection from `source`, so that limits per address see many addresses.
    pub async fn open(&self, source: IpAddr) -> Result<Box<dyn Io>> {
        match &self.tls {
            None => Ok(Box::new(self.tcp(source).await?)),
            Some(_) => Ok(Box::new(self.secure(source).await?)),
        }
    }

    /// The same where the server speaks TLS, with what was agreed on.
    pub async fn secure(&self, source: IpAddr) -> Result<TlsStream<TcpStream>> {
        let tls = self.tls.as_ref().context("no TLS here")?;
        let tcp = self.tcp(source).await?;
        let connector = TlsConnector::from(Arc::clone(tls));
        Ok(connector.connect(self.name.clone(), tcp).await?)
    }

    async fn tcp(&self, source: IpAddr) -> Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = self.receive {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind(SocketAddr::new(source, 0))?;
        let stream = socket.connect(self.addr).await.context("connect")?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// The `index`-th of many loopback addresses: no more than `per_address` clients share one, and few share a /24.
pub fn loopback(index: usize, per_address: usize) -> IpAddr {
    let block = index / per_address;
    // Second and third octet move first, so that neighbours fall into different /24 prefixes.
    let [second, third, fourth] = [1 + block / 250 % 250, block % 250, 1 + block / 62_500];
    IpAddr::from([127, octet(second), octet(third), octet(fourth)])
}

fn octet(value: usize) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// A connection that sends one request at a time. Where the server closed it in silence, the next request goes over a new one, as a
/// browser's does.
pub struct Connection {
    sender: Sender,
    target: Target,
    source: IpAddr,
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Opens one, of HTTP/1.1; its driver ends with it.
    pub async fn open(target: &Target, source: IpAddr) -> Result<Self> {
        let io = target.open(source).await?;
        let (sender, driver) = http1::handshake(TokioIo::new(io)).await?;
        // How it ended shows in the next request.
        tokio::spawn(async move { drop(driver.await) });
        Ok(Self {
            sender: Sender::One(sender),
            target: target.clone(),
            source,
        })
    }

    /// Opens one of HTTP/2.
    pub async fn open_http2(target: &Target, source: IpAddr) -> Result<Self> {
        let io = target.over_http2().open(source).await?;
        let (sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await?;
        // How it ended shows in the next request.
        tokio::spawn(async move { drop(driver.await) });
        Ok(Self {
            sender: Sender::Two(sender),
            target: target.clone(),
            source,
        })
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        match &self.sender {
            Sender::One(sender) if sender.is_closed() => {
                *self = Self::open(&self.target, self.source).await?
            }
            Sender::Two(sender) if sender.is_closed() => {
                *self = Self::open_http2(&self.target, self.source).await?;
            }
            _ => {}
        }
        let response = match &mut self.sender {
            Sender::One(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Two(sender) => {
                sender.ready().await?;
                request.headers_mut().remove(HOST);
                let path = request.uri().path_and_query().context("no path")?.clone();
                *request.uri_mut() = Uri::builder()
                    .scheme("https")
                    .authority("localhost")
                    .path_and_query(path)
                    .build()?;
                sender.send_request(request).await?
            }
        };
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}
