//! The key set of the auth service, from the file or the address that has it to the verifier.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hyper::StatusCode;

use crate::config;
use crate::net::client::{Call, Client, Guard};
use crate::provisioning::access::{Access, Refresh, TokenSettings, TokenVerifier};
use crate::runtime::backoff::Backoff;
use crate::telemetry::names;

/// The most bytes of a key set that are read.
const MOST_BYTES: usize = 64 * 1024;
/// The longest one fetch may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// When a fetch that failed is tried again; meanwhile the keys that are known stay in force.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

/// Who may come in: with a key set also the bearers of the auth service's tokens.
pub(super) fn access(auth: &config::Auth) -> Result<Access> {
    let settings = || TokenSettings {
        issuer: auth.issuer.clone().unwrap_or_default(),
        audience: auth.audience.clone(),
        algorithms: auth.algorithms.clone(),
        tenant_claim: auth.tenant_claim.clone(),
        login_claim: auth.login_claim.clone(),
        leeway_sec: auth.leeway.as_secs(),
    };
    Ok(match (&auth.jwks_file, &auth.jwks_url) {
        (Some(file), _) => {
            let verifier = TokenVerifier::new(settings(), &read(file)?).context("auth")?;
            Access::new(Some(verifier))
        }
        (None, Some(_)) => {
            let verifier = TokenVerifier::without_keys(settings()).context("auth")?;
            Access::fetching(verifier, Refresh::new(auth.jwks_cooldown))
        }
        (None, None) => Access::new(None),
    })
}

/// Takes the key set again; an unusable one changes nothing.
pub(super) fn reload(access: &Access, auth: &config::Auth) {
    if let Some(refresh) = access.refresh() {
        return refresh.hurry();
    }
    let (Some(verifier), Some(file)) = (access.verifier(), &auth.jwks_file) else {
        return;
    };
    let replaced = read(file).and_then(|text| Ok(verifier.replace_keys(&text)?));
    match replaced {
        Ok(keys) => tracing::info!(keys, "key set read again"),
        Err(error) => tracing::error!(error = format!("{error:#}"), "the key set stays as it was"),
    }
}

/// Keeps the key set as new as it is published, for ever. For one core of the node.
pub(super) async fn follow(access: Arc<Access>, auth: config::Auth, client: Client) {
    let (Some(url), Some(verifier), Some(refresh)) = (&auth.jwks_url, access.verifier(), access.refresh())
    else {
        return;
    };
    // At once, so that nobody has to ask for the first.
    let (mut wait, mut failures) = (Duration::ZERO, 0);
    loop {
        refresh.due(wait).await;
        let outcome = fetch(&client, url, verifier).await;
        refresh.done();
        let word = if outcome.is_ok() { "taken" } else { "failed" };
        metrics::counter!(names::KEY_SETS, "outcome" => word).increment(1);
        wait = match outcome {
            Ok(keys) => {
                tracing::debug!(keys, "key set fetched");
                failures = 0;
                auth.jwks_refresh
            }
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "no newer key set: the known keys stay in force"
                );
                failures += 1;
                RETRY.ceiling(failures - 1).min(auth.jwks_refresh)
            }
        };
    }
}

async fn fetch(client: &Client, url: &str, verifier: &TokenVerifier) -> Result<usize> {
    let answer = client
        .send(Call {
            deadline: Some(DEADLINE),
            max_response: Some(MOST_BYTES),
            ..Call::get(url, Guard::Operator)
        })
        .await?;
    ensure!(answer.status == StatusCode::OK, "the answer is {}", answer.status);
    let text = std::str::from_utf8(&answer.body).context("the answer is no text")?;
    Ok(verifier.replace_keys(text)?)
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("the key set {}", file.display()))
}
