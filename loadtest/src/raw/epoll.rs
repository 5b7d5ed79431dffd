//! An echo that is nothing but `epoll`, `recv` and `send`: what a message costs the kernel, in the same run as what it costs a server.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream as Probe};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::server::free_ports;

const LISTENER: Token = Token(usize::MAX);

/// The echo as a process of its own; ended when it is dropped.
pub struct Echo {
    child: Child,
    addr: SocketAddr,
}

impl Echo {
    /// Starts it.
    pub async fn start() -> Result<Self> {
        let [addr] = free_ports()?;
        let child = Command::new(std::env::current_exe()?)
            .arg("epoll-echo")
            .arg(addr.to_string())
            .spawn()?;
        let echo = Self { child, addr };
        let give_up = Instant::now() + Duration::from_secs(10);
        while Probe::connect(addr).is_err() {
            if Instant::now() > give_up {
                bail!("the echo did not start");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(echo)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It holds nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Echoes until the process is ended.
pub fn serve(addr: SocketAddr) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(addr)?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut sockets: Vec<Option<TcpStream>> = Vec::new();
    let mut events = Events::with_capacity(1_024);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut socket, _)) = listener.accept() {
                    socket.set_nodelay(true)?;
                    poll.registry()
                        .register(&mut socket, Token(sockets.len()), Interest::READABLE)?;
                    sockets.push(Some(socket));
                }
                continue;
            }
            let Some(place) = sockets.get_mut(event.token().0) else {
                continue;
            };
            if place.as_mut().is_some_and(|socket| !echo(socket, &mut buffer)) {
                *place = None;
            }
        }
    }
}

/// Sends back what is there; `false`: the connection is over.
fn echo(socket: &mut TcpStream, buffer: &mut [u8]) -> bool {
    loop {
        match socket.read(buffer) {
            Ok(0) => return false,
            // Whoever sends more than the kernel takes back is no client of ours.
            Ok(count) if socket.write(&buffer[..count]).is_ok_and(|sent| sent == count) => {
                // A short read has emptied the socket; asking again would be one call more than an echo needs.
                if count < buffer.len() {
                    return true;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            _ => return false,
        }
    }
}
