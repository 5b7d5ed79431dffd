//! One core's session with a tenant's GWS: its token, its cookies, its calls.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use secrecy::{ExposeSecret as _, SecretString};

use crate::net::client::{Answer, Call, CallError, Client, Guard};
use crate::protocol::gws::{
    INITIALIZE, LOGOUT, Operation, Outcome, SESSION_COOKIE, TOKEN_PATH, Token, TokenError, TokenRequest,
    outcome, token,
};
use crate::runtime::Clock;

use super::account::Account;
use super::cookies::Jar;

/// The longest a call takes that is no long poll.
const PROMPT: Duration = Duration::from_secs(5);
/// The most of an answer that is no page of objects and no event.
const SMALL: usize = 64 << 10;

/// Why GWS cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum Away {
    /// No token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No answer.
    #[error("{0}")]
    Call(#[from] CallError),
    /// An answer that is none of those we can use.
    #[error("GWS answers {0}")]
    Status(u16),
    /// A credential that no header can carry.
    #[error("a credential cannot be sent")]
    Credential,
}

struct Held {
    token: Token,
    /// From then on a new one is asked for.
    renew: Instant,
    /// From then on it is no use.
    ends: Instant,
}

/// A session. Begins by itself with its first call, and again when the service has lost it.
pub struct Session {
    client: Client,
    account: Account,
    clock: Clock,
    held: RefCell<Option<Held>>,
    jar: RefCell<Jar>,
    begun: Cell<bool>,
    /// One beginning at a time.
    beginning: tokio::sync::Mutex<()>,
}

impl Session {
    /// A session that has not begun.
    #[must_use]
    pub fn new(client: Client, account: Account, clock: Clock) -> Self {
        Self {
            client,
            account,
            clock,
            held: RefCell::new(None),
            jar: RefCell::new(Jar::default()),
            begun: Cell::new(false),
            beginning: tokio::sync::Mutex::new(()),
        }
    }

    /// Whom it speaks for.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Makes sure that there is a token and that the workspace is initialized.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn begin(&self) -> Result<(), Away> {
        let _turn = self.beginning.lock().await;
        self.hold_token().await?;
        if self.begun.get() {
            return Ok(());
        }
        self.jar.borrow_mut().clear();
        let answer = self
            .call(Method::POST, INITIALIZE, "{}".to_owned(), PROMPT, SMALL)
            .await?;
        match outcome(answer.status.as_u16(), None, &answer.body) {
            Outcome::Done if self.jar.borrow().holds(SESSION_COOKIE) => {
                self.begun.set(true);
                Ok(())
            }
            Outcome::SignInAgain => {
                self.held.replace(None);
                Err(Away::Status(answer.status.as_u16()))
            }
            _ => Err(Away::Status(answer.status.as_u16())),
        }
    }

    /// The session is lost; the next call begins a new one. `token`: the token too.
    pub fn forget(&self, token: bool) {
        self.begun.set(false);
        if token {
            self.held.replace(None);
        }
    }

    /// Does an operation on an interaction. Done twice is done once: GWS knows it by its id.
    pub async fn operate(&self, operation: &Operation, operation_id: &str) -> Outcome {
        let request = operation.request(operation_id);
        let answer = match self.post(&request.path, request.body).await {
            Ok(answer) => answer,
            Err(Away::Token(TokenError::Refused)) => return Outcome::SignInAgain,
            Err(error) => {
                tracing::debug!(%error, tenant = %self.account.tenant, "GWS was not reached");
                return Outcome::Later(None);
            }
        };
        let retry_after = answer.retry_after(self.clock.wall_ms());
        outcome(answer.status.as_u16(), retry_after, &answer.body)
    }

    /// Posts JSON. A session that turns out to be lost is begun anew once.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn post(&self, path: &str, body: String) -> Result<Answer, Away> {
        self.begin().await?;
        let answer = self.call(Method::POST, path, body.clone(), PROMPT, SMALL).await?;
        if !is_lost(&answer) {
            return Ok(answer);
        }
        self.forget(true);
        self.begin().await?;
        self.call(Method::POST, path, body, PROMPT, SMALL).await
    }

    /// Reads something of up to `max` bytes.
    ///
    /// # Errors
    /// [`Away`]; also a status that is not 2xx.
    pub async fn get(&self, path: &str, max: usize) -> Result<Answer, Away> {
        self.begin().await?;
        let answer = self
            .call(Method::GET, path, String::new(), PROMPT * 4, max)
            .await?;
        if is_lost(&answer) {
            self.forget(true);
        }
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(Away::Status(answer.status.as_u16()))
        }
    }

    /// One request of the Bayeux client, as it is.
    ///
    /// # Errors
    /// [`Away`] when there is no answer.
    pub async fn exchange(
        &self,
        path: &str,
        body: String,
        deadline: Duration,
        max: usize,
    ) -> Result<Answer, Away> {
        // A poll goes on for days; its token does not.
        if !self.is_fresh() {
            let _turn = self.beginning.lock().await;
            self.hold_token().await?;
        }
        self.call(Method::POST, path, body, deadline, max).await
    }

    fn is_fresh(&self) -> bool {
        let now = self.clock.now();
        self.held.borrow().as_ref().is_some_and(|held| now < held.renew)
    }

    /// Says goodbye, without waiting long for an answer.
    pub async fn end(&self) {
        if self.begun.replace(false) {
            // A session nobody uses ends by itself.
            let _ = self
                .call(
                    Method::POST,
                    LOGOUT,
                    "{}".to_owned(),
                    Duration::from_secs(2),
                    SMALL,
                )
                .await;
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: String,
        deadline: Duration,
        max: usize,
    ) -> Result<Answer, Away> {
        let mut headers = HeaderMap::new();
        if method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(held) = &*self.held.borrow() {
            let bearer = format!("Bearer {}", held.token.access.expose_secret());
            headers.insert(AUTHORIZATION, secret(&SecretString::from(bearer))?);
        }
        if let Some(key) = &self.account.api_key {
            headers.insert(HeaderName::from_static("x-api-key"), secret(key)?);
        }
        if let Some(cookies) = self.jar.borrow().header() {
            headers.insert(COOKIE, secret(&SecretString::from(cookies))?);
        }
        let url = format!("{}{path}", self.account.url);
        let answer = self
            .client
            .send(Call {
                headers,
                body: body.into(),
                deadline: Some(deadline),
                max_response: Some(max),
                ..Call::new(method, url, Guard::Operator)
            })
            .await?;
        // A redirect is not followed, and whoever sends one sets no cookie here.
        if !answer.status.is_redirection() {
            self.jar.borrow_mut().take(&answer.headers);
        }
        Ok(answer)
    }

    /// Asks for a token where there is none, or where most of its life has passed.
    async fn hold_token(&self) -> Result<(), Away> {
        let now = self.clock.now();
        let (fresh, usable, refresh) = match &*self.held.borrow() {
            None => (false, false, None),
            Some(held) => (now < held.renew, now < held.ends, held.token.refresh.clone()),
        };
        if fresh {
            return Ok(());
        }
        let asked = match &refresh {
            Some(refresh) => match self.ask_token(TokenRequest::Refresh(refresh)).await {
                // A refresh token is used once and may be forgotten; our own credentials stay.
                Err(Away::Token(TokenError::Refused)) => {
                    self.ask_token(TokenRequest::ClientCredentials).await
                }
                asked => asked,
            },
            None => self.ask_token(TokenRequest::ClientCredentials).await,
        };
        match asked {
            Ok(token) => {
                let held = Held {
                    renew: now + token.lives.mul_f32(0.8),
                    ends: now + token.lives,
                    token,
                };
                self.held.replace(Some(held));
                Ok(())
            }
            Err(error) if usable => {
                tracing::warn!(%error, tenant = %self.account.tenant, "no new token of GWS; the old one is still good");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn ask_token(&self, request: TokenRequest<'_>) -> Result<Token, Away> {
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        let basic = TokenRequest::basic(&self.account.client_id, &self.account.client_secret);
        headers.insert(AUTHORIZATION, secret(&basic)?);
        let url = format!("{}{TOKEN_PATH}", self.account.auth_url);
        let answer = self
            .client
            .send(Call {
                headers,
                deadline: Some(PROMPT),
                max_response: Some(SMALL),
                ..Call::post(url, Guard::Operator, request.body(&self.account.client_id))
            })
            .await?;
        Ok(token(answer.status.as_u16(), &answer.body)?)
    }
}

/// Whether the service no longer accepts the token or the session.
fn is_lost(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 401 | 403)
}

/// A header that no debug output shows.
fn secret(text: &SecretString) -> Result<HeaderValue, Away> {
    let mut value = HeaderValue::from_str(text.expose_secret()).map_err(|_| Away::Credential)?;
    value.set_sensitive(true);
    Ok(value)
}
