//! One keep-alive HTTP/1.1 connection, as a browser holds it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

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

    /// Opens a connection from `source`, so that limits per address see many addresses.
    pub async fn open(&self, source: IpAddr) -> Result<Box<dyn Io>> {
        let tcp = self.tcp(source).await?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let connector = TlsConnector::from(Arc::clone(tls));
        Ok(Box::new(connector.connect(self.name.clone(), tcp).await?))
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

/// A connection that sends one request at a time.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Opens one; its driver ends with it.
    pub async fn open(target: &Target, source: IpAddr) -> Result<Self> {
        let io = target.open(source).await?;
        let (sender, driver) = handshake(TokioIo::new(io)).await?;
        tokio::spawn(async move {
            // How it ended shows in the next request.
            let _ = driver.await;
        });
        Ok(Self { sender })
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}
