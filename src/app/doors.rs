//! The addresses that are listened on, with the certificates shown there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::config::{Config, IpRange};
use crate::net::tls::{
    CertificateFiles, Certificates, Records, TicketKeys, Tls, development_certificate, read_authorities,
};
use crate::net::{Balance, Gate, Seat, ServeLimits};

/// How often certificates are looked at; container platforms change them by moving a link.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(30);

/// Connections on their way from a crowded core to another.
const HANDED_OVER: usize = 1_024;

/// Who answers behind a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// Customers, agents, aggregators, administrators.
    Public,
    /// The other services of the contact centre.
    Internal,
    /// An echo, for conformance suites.
    Echo,
}

/// An address with what guards it.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) addr: SocketAddr,
    pub(super) behind: Behind,
    pub(super) limits: ServeLimits,
    pub(super) gate: Gate,
    pub(super) tls: Option<Tls>,
}

/// Every door, with a seat at each for each core.
pub(super) struct Doors {
    doors: Vec<(Door, std::vec::IntoIter<Seat>)>,
    public: Tls,
    certificates: Shown,
}

/// The certificates that are shown.
#[derive(Clone)]
pub(super) struct Shown(Vec<Arc<Certificates>>);

impl Doors {
    /// The doors that the configuration names.
    ///
    /// # Errors
    /// When a certificate or an authority cannot be used.
    pub(super) fn new(config: &Config, tickets: &Arc<TicketKeys>, cores: usize) -> Result<Self> {
        let (public, internal) = (&config.listen.public, &config.listen.internal);
        let shown = certificates(config)?;
        let mut certificates = vec![Arc::clone(&shown)];
        let records = match config.limits.connections.own_tls_records {
            true => Records::Own,
            false => Records::Rustls,
        };
        let tls = Tls::new(shown, Arc::clone(tickets), None)?.with_records(records);
        let shared = tls.clone();
        let mut doors = vec![(public.address, Behind::Public, Some(tls), &public.proxies)];
        if let Some(plain) = public.plain_address {
            doors.push((plain, Behind::Public, None, &public.proxies));
        }
        let mut tls = None;
        if let Some(files) = files(&internal.certificate_file, &internal.key_file) {
            let shown = Arc::new(Certificates::load(files).context("listen.internal")?);
            let authorities = internal.client_ca_file.as_deref().map(read_authorities);
            let authorities = authorities
                .transpose()
                .context("listen.internal.client_ca_file")?;
            certificates.push(Arc::clone(&shown));
            // A ticket of the public listener must not stand in for a certificate that was never shown.
            let tickets = match authorities {
                Some(_) => TicketKeys::random()?,
                None => Arc::clone(tickets),
            };
            tls = Some(Tls::new(shown, tickets, authorities)?.with_records(records));
        }
        doors.push((internal.address, Behind::Internal, tls, &internal.proxies));
        let doors = doors.into_iter().map(|(addr, behind, tls, proxies)| {
            let seats = Balance::seats(u16::try_from(cores).unwrap_or(u16::MAX), HANDED_OVER);
            (door(config, addr, behind, tls, proxies), seats.into_iter())
        });
        Ok(Self {
            doors: doors.collect(),
            public: shared,
            certificates: Shown(certificates),
        })
    }

    /// The seats of one more core.
    pub(super) fn seats(&mut self) -> Vec<(Door, Seat)> {
        let doors = self.doors.iter_mut();
        doors
            .filter_map(|(door, seats)| Some((door.clone(), seats.next()?)))
            .collect()
    }

    /// The addresses where conformance suites find an echo: one without TLS, one with what is shown to the public.
    pub(super) fn echoes(
        &self,
        config: &Config,
        plain: Option<SocketAddr>,
        tls: Option<SocketAddr>,
    ) -> Vec<Door> {
        let tls = tls.map(|addr| (addr, Some(self.public.clone())));
        let all = plain.map(|addr| (addr, None)).into_iter().chain(tls);
        all.map(|(addr, tls)| door(config, addr, Behind::Echo, tls, &config.listen.public.proxies))
            .collect()
    }

    /// The certificates that are shown at them.
    pub(super) fn certificates(&self) -> Shown {
        self.certificates.clone()
    }
}

fn door(config: &Config, addr: SocketAddr, behind: Behind, tls: Option<Tls>, proxies: &[IpRange]) -> Door {
    let limits = ServeLimits::new(&config.limits, proxies, open_files());
    Door {
        addr,
        behind,
        gate: Gate::new(&limits.listener),
        limits,
        tls,
    }
}

fn certificates(config: &Config) -> Result<Arc<Certificates>> {
    let public = &config.listen.public;
    let files = match files(&public.certificate_file, &public.key_file) {
        Some(files) => files,
        None => {
            development_certificate(&config.store.data_dir).context("make the development certificate")?
        }
    };
    Ok(Arc::new(Certificates::load(files)?))
}

fn files(chain: &Option<PathBuf>, key: &Option<PathBuf>) -> Option<CertificateFiles> {
    Some(CertificateFiles {
        chain: chain.clone()?,
        key: key.clone()?,
    })
}

fn open_files() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(1 << 20)
}

impl Shown {
    /// Takes changed certificates, for ever.
    pub(super) async fn watch(self) {
        let mut every = tokio::time::interval(CERTIFICATES_EVERY);
        loop {
            every.tick().await;
            for certificates in &self.0 {
                match certificates.reload_if_changed() {
                    Ok(true) => tracing::info!("certificate changed: new connections get the new one"),
                    Ok(false) => {}
                    Err(error) => {
                        tracing::error!(%error, "the changed certificate cannot be used; the old one stays")
                    }
                }
            }
        }
    }

    /// Reads them all again.
    pub(super) fn reload(&self) {
        for certificates in &self.0 {
            match certificates.reload() {
                Ok(()) => tracing::info!("certificate read again"),
                Err(error) => tracing::error!(%error, "the certificate cannot be used; the old one stays"),
            }
        }
    }
}
