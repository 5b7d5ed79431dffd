//! What runs on one core: its log, its part of the shard table, its listeners.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::api::contacts::{Contacts, ContactsParts};
use crate::api::dead_letters::DeadLetters;
use crate::api::front::Front;
use crate::api::internal::Internal;
use crate::api::plugins::Plugins;
use crate::api::provisioning::ProvisioningApi;
use crate::api::public::Public;
use crate::config::{Config, ScannerAddress};
use crate::egress::history::History;
use crate::ingress::aggregators::{AggregatorSettings, Aggregators, Feeder, Spool};
use crate::ingress::campaign::{Campaigning, CampaigningParts};
use crate::ingress::channel::Intake;
use crate::ingress::designer::Designer;
use crate::ingress::media::GivenFiles;
use crate::ingress::messaging::{Messaging, MessagingSettings};
use crate::ingress::securemail::{SecureMail, SecureMailSettings};
use crate::ingress::tenant::{TenantOptions, TenantService};
use crate::ingress::widgets::{WidgetOptions, Widgets};
use crate::ingress::workspace::{Workspace, WorkspaceParts};
use crate::log::media::{Clamd, ClamdAddress, Scanned, SharedMedia};
use crate::log::{Durability, NodeId, SharedLog, StoreInfo};
use crate::net::client::ClientOptions;
use crate::net::echo::Echo;
use crate::net::http::Service;
use crate::net::websocket::SocketLimits;
use crate::net::{Listener, Scratch, Seat, Server};
use crate::provisioning::access::Access;
use crate::provisioning::{Directory, Snapshots};
use crate::routing::{sweep, tell_positions};
use crate::runtime::clock::Clock;
use crate::runtime::cores::{CoreId, CoreResult};
use crate::runtime::drain::{DrainToken, Phase};
use crate::runtime::{KeyedLimit, Latch};
use crate::shard::{Campaigns, Links, Liveness, Mailroom, Neighbours, ShardOptions, Shards};
use crate::telemetry::{CoreTally, Lag, Pseudonyms, TenantLabels, watch_lag};

use super::doors::{Behind, Door};
use super::gws::GwsSide;
use super::retention::Retention;
use super::stores::{Keeping, LogStore};
use super::{history, limits, outward, tokens};

/// How often the log is tried with a canary.
const CANARY_EVERY: Duration = Duration::from_secs(2);
/// How often a waiting customer may hear of a better position.
const POSITIONS_EVERY: Duration = Duration::from_secs(2);

/// Bytes of an aggregator's callback: a mail comes with its attachments.
const CALLBACK_MAX: usize = 26 * 1_024 * 1_024;
/// Files on their way in on one core at once.
const MEDIA_WRITERS: usize = 64;

/// What every core is given; cheap to clone.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) config: Arc<Config>,
    pub(super) store: LogStore,
    /// Files and our own history.
    pub(super) keeping: Keeping,
    /// Callbacks on this node's disk.
    pub(super) spool: Option<Arc<Spool>>,
    pub(super) outbound: ClientOptions,
    pub(super) clock: Clock,
    pub(super) node: NodeId,
    pub(super) links: Links,
    pub(super) snapshots: Snapshots,
    pub(super) directory: Arc<Directory>,
    pub(super) access: Arc<Access>,
    pub(super) widget_settings: Option<Bytes>,
    /// Where conformance suites find an echo; one core serves it.
    pub(super) echo: Vec<Door>,
    pub(super) drain: DrainToken,
    /// What contacts are called in the log.
    pub(super) pseudonyms: Pseudonyms,
    /// Of all cores, so that a tenant has one label.
    pub(super) labels: TenantLabels,
    pub(super) opened: mpsc::Sender<StoreInfo>,
}

/// Runs one core until the drain stops it.
pub(super) async fn run(
    parts: Parts,
    core: CoreId,
    mailroom: Mailroom,
    mut ready: Latch,
    tally: CoreTally,
    lag: Lag,
    doors: Vec<(Door, Seat)>,
) -> CoreResult {
    let log = parts.store.core(core.index()).await?;
    tokio::task::spawn_local(watch_lag(lag));
    let options = ShardOptions {
        queue_per_log: parts.config.limits.queues.per_log,
        liveness: Liveness {
            widget: parts.config.agent.widget_liveness,
            desk: parts.config.agent.desk_liveness,
        },
        ..ShardOptions::default()
    };
    let (media, archive) = parts.keeping.core(&parts.config, MEDIA_WRITERS)?;
    let media = scanned(&parts, media);
    let campaigns = Campaigns::new(Rc::clone(&log), parts.clock.clone());
    let client = outward::client(&parts);
    if core.index() == 0 {
        // A client of its own: nobody else's calls take its place.
        let (access, auth) = (Arc::clone(&parts.access), parts.config.auth.clone());
        tokio::task::spawn_local(tokens::follow(access, auth, outward::client(&parts)));
    }
    let gws = GwsSide::new(&parts, &log, client.clone());
    let calls = outward::calls(&parts, client);
    let own = history::own(&parts, &archive);
    let history = history::history(&parts, &calls, &media, &own);
    let webhooks = outward::webhooks(&parts, &calls);
    let neighbours = Neighbours {
        router: gws.router(),
        deliverer: Rc::new(outward::dispatcher(
            &parts,
            &calls,
            &media,
            &campaigns,
            Rc::clone(&webhooks),
            (&history, &own),
        )),
    };
    let shards = Shards::start(
        mailroom,
        parts.links.clone(),
        Rc::clone(&log),
        neighbours,
        parts.clock.clone(),
        parts.node,
        options,
    );
    if core.index() == 0 {
        tokio::task::spawn_local(webhooks.watch_over(shards.clone()));
        let every = parts.config.routing.sweep;
        let decides = gws.decides();
        tokio::task::spawn_local(sweep(shards.clone(), parts.snapshots.clone(), every, decides));
        let retention = Retention {
            archive: Rc::clone(&archive),
            media: Rc::clone(&media),
            log: Rc::clone(&log),
            directory: Arc::clone(&parts.directory),
            clock: parts.clock.clone(),
        };
        tokio::task::spawn_local(Rc::new(retention).run());
    }
    gws.start(&parts, core, &shards);
    tokio::task::spawn_local(tell_positions(
        shards.clone(),
        parts.snapshots.clone(),
        POSITIONS_EVERY,
    ));
    let intake = Intake::new(
        shards.clone(),
        Rc::clone(&campaigns),
        Rc::clone(&media),
        limits::texts(&parts.config).0,
    );
    if let (0, Some(spool)) = (core.index(), &parts.spool) {
        let feeder = Feeder::new(Arc::clone(spool), Rc::clone(&intake), parts.snapshots.clone());
        tokio::task::spawn_local(feeder.run());
    }
    let contacts = Contacts::new(ContactsParts {
        shards: shards.clone(),
        archive,
        own,
        media: Rc::clone(&media),
        directory: Arc::clone(&parts.directory),
        pseudonyms: parts.pseudonyms.clone(),
        body: parts.config.limits.json.body.len(),
    });
    let made = Made {
        campaigns,
        media,
        intake,
        history,
        contacts,
        tally,
    };
    let (public, internal) = services(&parts, &shards, made);
    let scratch = Scratch::new();
    let mut drain = parts.drain.clone();
    let open = |door: &Door, service: Rc<dyn Service>, seat: Option<Seat>| -> anyhow::Result<()> {
        let listener = Listener::bind(door.addr, &door.limits.listener)
            .with_context(|| format!("listen on {}", door.addr))?;
        let (tls, gate) = (door.tls.clone(), door.gate.clone());
        let server = Server::new(
            service,
            tls,
            gate,
            &door.limits,
            scratch.clone(),
            parts.drain.clone(),
        );
        tokio::task::spawn_local(server.run(listener, seat));
        Ok(())
    };
    for (door, seat) in doors {
        let service: Rc<dyn Service> = match door.behind {
            Behind::Internal => Rc::clone(&internal) as Rc<dyn Service>,
            Behind::Public | Behind::Echo => Rc::clone(&public) as Rc<dyn Service>,
        };
        open(&door, service, Some(seat))?;
    }
    let echoes = parts.echo.iter().filter(|_| core.index() == 0);
    for door in echoes {
        let config = &parts.config;
        let socket = SocketLimits::new(
            &config.limits.websocket,
            &config.agent,
            config.limits.rates.api_key,
        );
        open(
            door,
            Rc::new(Echo::new(socket, config.limits.json.body.len())),
            None,
        )?;
        let listener = if door.tls.is_some() { "echo-tls" } else { "echo" };
        tracing::warn!(listener, address = %door.addr, "listening: for conformance suites, not for the public");
    }
    // The node tells what it stands on once, from the core that knew first.
    let _ = parts.opened.try_send(log.info().clone());
    tokio::select! {
        () = drain.reached(Phase::Stopped) => {}
        () = prove(&log, core, &mut ready) => {}
    }
    Ok(())
}

/// The files, behind the scanner where the configuration names one.
fn scanned(parts: &Parts, media: SharedMedia) -> SharedMedia {
    let scan = &parts.config.media_scan;
    let Some(clamd) = &scan.clamd else {
        return media;
    };
    let address = match clamd {
        ScannerAddress::Tcp(address) => ClamdAddress::Tcp(address.clone()),
        ScannerAddress::Unix(path) => ClamdAddress::Unix(path.clone()),
    };
    Scanned::new(media, Box::new(Clamd::new(address, scan.timeout)))
}

/// What a core has made before it serves.
struct Made {
    campaigns: Rc<Campaigns>,
    media: SharedMedia,
    intake: Rc<Intake>,
    history: Rc<History>,
    contacts: Contacts,
    tally: CoreTally,
}

/// Everything the listeners of one core serve.
fn services(parts: &Parts, shards: &Shards, made: Made) -> (Rc<Public>, Rc<Internal>) {
    let Made {
        campaigns,
        media,
        intake,
        history,
        contacts,
        tally,
    } = made;
    let config = &parts.config;
    let durability = match shards.log().info().durability {
        Durability::None => "none",
        Durability::Process => "process",
        Durability::Machine => "machine",
    };
    let widgets = Widgets::new(
        shards.clone(),
        parts.snapshots.clone(),
        Rc::clone(&media),
        WidgetOptions::new(&config.chat, &config.limits, &config.media, durability),
        Uuid::new_v4().as_u64_pair().0,
    )
    .counted_by(tally.clone(), parts.labels.clone());
    let workspace = Workspace::new(WorkspaceParts {
        shards: shards.clone(),
        snapshots: parts.snapshots.clone(),
        media: Rc::clone(&media),
        drain: parts.drain.clone(),
        settings: limits::workspace(config),
    })
    .counted_by(tally.clone(), parts.labels.clone())
    .looking_back(Rc::new(history::Looking(history)));
    let provisioning = ProvisioningApi::new(
        Arc::clone(&parts.directory),
        Arc::clone(&parts.access),
        parts.clock.clone(),
        config.limits.json.body.len(),
    );
    let rates = &config.limits.rates;
    let front = Rc::new(Front::new(
        Arc::clone(&parts.access),
        parts.snapshots.clone(),
        KeyedLimit::new(rates.refused.into(), rates.remembered),
        parts.clock.clone(),
        tally,
    ));
    let designer = Designer::new(
        shards.clone(),
        parts.snapshots.clone(),
        config.limits.json.body.len(),
    );
    let options = TenantOptions {
        body: config.limits.json.body.len(),
        url: config.listen.internal.url.clone(),
    };
    let tenant = TenantService::new(
        shards.clone(),
        parts.snapshots.clone(),
        options,
        parts.drain.clone(),
    );
    let internal = Internal {
        front: Rc::clone(&front),
        designer,
        tenant,
        campaigns: Campaigning::new(CampaigningParts {
            shards: shards.clone(),
            campaigns: Rc::clone(&campaigns),
            snapshots: parts.snapshots.clone(),
            drain: parts.drain.clone(),
            buffer: config.campaign.buffer,
            socket: limits::campaign(config),
        }),
        provisioning: provisioning.clone(),
    };
    let securemail = SecureMail::new(
        Rc::clone(&intake),
        shards.clone(),
        Rc::clone(&media),
        parts.snapshots.clone(),
        SecureMailSettings {
            body: config.limits.json.body.len(),
            upload: config.media.max_file.0,
            idempotency_key: config.limits.http.idempotency_key,
            per_key: rates.api_key.into(),
            remembered: rates.remembered,
            durability,
        },
        Uuid::new_v4().as_u64_pair().0,
    );
    let files = GivenFiles::new(Rc::clone(&media), parts.snapshots.clone(), parts.clock.clone());
    let messaging = Messaging::new(
        Rc::clone(&intake),
        media,
        parts.snapshots.clone(),
        parts.clock.clone(),
        MessagingSettings {
            base: outward::base(config),
            body: config.limits.json.body.len(),
            upload: config.media.max_file.0,
        },
    );
    let aggregators = Aggregators::new(
        intake,
        shards.clone(),
        parts.snapshots.clone(),
        parts.clock.clone(),
        AggregatorSettings {
            base: outward::base(config),
            body: CALLBACK_MAX,
        },
        parts.spool.clone(),
    );
    let plugins = Plugins::new(
        Arc::clone(&parts.access),
        parts.snapshots.clone(),
        provisioning.clone(),
        parts.clock.clone(),
    );
    let public = Public {
        front,
        plugins,
        widgets,
        workspace,
        messaging,
        files,
        securemail,
        aggregators,
        dead_letters: DeadLetters::new(shards.clone()),
        contacts,
        provisioning,
        widget_settings: parts.widget_settings.clone(),
    };
    (Rc::new(public), Rc::new(internal))
}

/// Keeps the core's readiness true to its log: a canary takes the way of a real append. Never returns.
async fn prove(log: &SharedLog, core: CoreId, ready: &mut Latch) {
    let mut every = tokio::time::interval(CANARY_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        match log.canary().await {
            Ok(()) => ready.release(),
            Err(error) => {
                tracing::warn!(%core, %error, "the log does not take appends");
                ready.hold();
            }
        }
    }
}
