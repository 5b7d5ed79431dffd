//! The key set of the auth service, from the file that holds it to the verifier.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::config;
use crate::provisioning::access::{Access, TokenSettings, TokenVerifier};

/// Who may come in: with a key set also the bearers of the auth service's tokens.
pub(super) fn access(auth: &config::Auth) -> Result<Access> {
    let Some(file) = &auth.jwks_file else {
        return Ok(Access::new(None));
    };
    let settings = TokenSettings {
        issuer: auth.issuer.clone().unwrap_or_default(),
        audience: auth.audience.clone(),
        algorithms: auth.algorithms.clone(),
        tenant_claim: auth.tenant_claim.clone(),
        login_claim: auth.login_claim.clone(),
        leeway_sec: auth.leeway.as_secs(),
    };
    let verifier = TokenVerifier::new(settings, &read(file)?).context("auth")?;
    Ok(Access::new(Some(verifier)))
}

/// Takes the key set again; an unusable one changes nothing.
pub(super) fn reload(access: &Access, auth: &config::Auth) {
    let (Some(verifier), Some(file)) = (access.verifier(), &auth.jwks_file) else {
        return;
    };
    let replaced = read(file).and_then(|text| Ok(verifier.replace_keys(&text)?));
    match replaced {
        Ok(keys) => tracing::info!(keys, "key set read again"),
        Err(error) => tracing::error!(error = format!("{error:#}"), "the key set stays as it was"),
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("the key set {}", file.display()))
}
