//! Sessions with the database: opened with timeouts, driven by a task, with statements prepared once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::Failure;
use super::settings::{PostgresSettings, Tls};

/// Opens sessions; the pool's manager.
#[derive(Clone)]
pub struct Connector {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    timeout: Duration,
}

/// One session. Its statements live as long as it does.
pub struct Session {
    /// The client; what goes wrong with it is a [`Failure::of`] that.
    pub client: Client,
    statements: HashMap<Box<str>, Statement>,
    /// Somebody stopped waiting for it; whoever is next must not wait behind that.
    given_up: bool,
}

/// What the driver of a session tells about it.
#[derive(Default)]
pub struct Heard {
    /// A notification came.
    pub notified: Notify,
    /// The session ended.
    pub ended: Notify,
}

impl Connector {
    /// Reads the settings; connects to nothing.
    ///
    /// # Errors
    /// [`Failure::Settings`].
    pub fn new(settings: &PostgresSettings) -> Result<Self, Failure> {
        // The parser's own text may quote the address, and with it the password.
        let mut config: Config = settings
            .url
            .expose_secret()
            .parse()
            .map_err(|_| Failure::Settings("the address of the database cannot be read".to_owned()))?;
        if let Some(password) = &settings.password {
            config.password(password.expose_secret());
        }
        let ms = settings.statement_timeout.as_millis();
        let options = format!(
            "{} -c statement_timeout={ms} -c lock_timeout={ms} -c idle_in_transaction_session_timeout={} \
             -c TimeZone=UTC",
            config.get_options().unwrap_or_default(),
            2 * ms,
        );
        config
            .options(options.trim())
            .application_name("nexus")
            .connect_timeout(settings.connect_timeout)
            .tcp_user_timeout(2 * settings.statement_timeout)
            .keepalives_idle(Duration::from_secs(30));
        if !matches!(settings.tls, Tls::Off) {
            // Never in clear because a server says it cannot.
            config.ssl_mode(SslMode::Require);
        }
        let tls = match &settings.tls {
            Tls::Off => None,
            Tls::System => Some(verifying(authorities_of_the_system()?)?),
            Tls::Verified(path) => Some(verifying(authorities_in(path)?)?),
        };
        Ok(Connector {
            config,
            tls,
            timeout: settings.connect_timeout,
        })
    }

    /// Opens a session and spawns its driver onto the current runtime. The driver ends with the session.
    ///
    /// # Errors
    /// [`Failure::Unavailable`].
    pub async fn open(&self, heard: Arc<Heard>) -> Result<Session, Failure> {
        let opening = async {
            match &self.tls {
                None => {
                    let (client, connection) = self
                        .config
                        .connect(NoTls)
                        .await
                        .map_err(|error| Failure::of(&error))?;
                    tokio::spawn(drive(connection, heard));
                    Ok::<_, Failure>(client)
                }
                Some(tls) => {
                    let (client, connection) = self
                        .config
                        .connect(tls.clone())
                        .await
                        .map_err(|error| Failure::of(&error))?;
                    tokio::spawn(drive(connection, heard));
                    Ok(client)
                }
            }
        };
        let client = tokio::time::timeout(self.timeout, opening)
            .await
            .map_err(|_| Failure::Unavailable("no connection in time".to_owned()))??;
        Ok(Session {
            client,
            statements: HashMap::new(),
            given_up: false,
        })
    }
}

impl Session {
    /// The statement for a text, prepared at its first use in this session.
    ///
    /// # Errors
    /// [`Failure::Unavailable`].
    pub async fn prepared(&mut self, sql: &str) -> Result<Statement, Failure> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self
            .client
            .prepare(sql)
            .await
            .map_err(|error| Failure::of(&error))?;
        self.statements.insert(sql.into(), statement.clone());
        Ok(statement)
    }

    /// Runs a statement; how many rows it touched.
    ///
    /// # Errors
    /// [`Failure::Unavailable`].
    pub async fn execute(&mut self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, Failure> {
        let statement = self.prepared(sql).await?;
        let done = self.client.execute(&statement, parameters).await;
        done.map_err(|error| Failure::of(&error))
    }

    /// Runs a statement; the rows it gives.
    ///
    /// # Errors
    /// [`Failure::Unavailable`].
    pub async fn query(
        &mut self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        let statement = self.prepared(sql).await?;
        let rows = self.client.query(&statement, parameters).await;
        rows.map_err(|error| Failure::of(&error))
    }

    /// Takes the session out of use: an answer did not come in time, and may yet.
    pub fn give_up(&mut self) {
        self.given_up = true;
    }
}

impl bb8::ManageConnection for Connector {
    type Connection = Session;
    type Error = Failure;

    async fn connect(&self) -> Result<Session, Failure> {
        self.open(Arc::default()).await
    }

    async fn is_valid(&self, session: &mut Session) -> Result<(), Failure> {
        // A session that hangs goes out of use; the wait of whoever asked for one must be enough to get the next.
        let done = tokio::time::timeout(self.timeout / 3, session.client.check_connection()).await;
        match done {
            Ok(valid) => valid.map_err(|error| Failure::of(&error)),
            Err(_) => {
                session.give_up();
                Err(Failure::Unavailable("no answer in time".to_owned()))
            }
        }
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        session.given_up || session.client.is_closed()
    }
}

async fn drive<S, T>(mut connection: Connection<S, T>, heard: Arc<Heard>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match std::future::poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(_))) => heard.notified.notify_one(),
            Some(Ok(_)) => {}
            // Whoever waits on the client gets the error there.
            Some(Err(_)) | None => break,
        }
    }
    heard.ended.notify_one();
}

fn authorities_in(path: &Path) -> Result<RootCertStore, Failure> {
    let refused = |why: String| Failure::Settings(format!("authorities in {}: {why}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))? {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| refused(error.to_string()))?;
    }
    if roots.is_empty() {
        Err(refused("none found".to_owned()))
    } else {
        Ok(roots)
    }
}

fn authorities_of_the_system() -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        Err(Failure::Settings("this system names no authorities".to_owned()))
    } else {
        Ok(roots)
    }
}

fn verifying(roots: RootCertStore) -> Result<MakeRustlsConnect, Failure> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Settings(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
