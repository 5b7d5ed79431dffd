//! JSON web tokens by which providers sign callbacks: HMAC only, and only by the algorithm that the channel is configured for.
//!
//! What the token says about time is left to its dialect, which has the time as an argument.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;

use super::provider::{Account, Forged};

/// No provider's token is longer.
const LONGEST: usize = 4_096;

/// The HMAC that a setting names; `None` for any other word.
#[must_use]
pub fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        "HS256" => Some(Algorithm::HS256),
        "HS384" => Some(Algorithm::HS384),
        "HS512" => Some(Algorithm::HS512),
        _ => None,
    }
}

/// What a token says that one of the account's secrets signed.
///
/// # Errors
/// [`Forged::NoSecret`] or [`Forged::Wrong`].
pub fn claims<C: DeserializeOwned + Clone>(
    token: &str,
    algorithm: Algorithm,
    account: &Account,
) -> Result<C, Forged> {
    if token.len() > LONGEST {
        return Err(Forged::Wrong);
    }
    let mut rules = Validation::new(algorithm);
    rules.validate_exp = false;
    rules.validate_nbf = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let secrets = account.secrets.iter().map(ExposeSecret::expose_secret);
    let secrets = secrets.filter(|secret| !secret.is_empty());
    let (mut tried, mut found) = (false, None);
    for secret in secrets {
        tried = true;
        if let Ok(data) = decode::<C>(token, &DecodingKey::from_secret(secret.as_bytes()), &rules) {
            found = Some(data.claims);
        }
    }
    match (tried, found) {
        (false, _) => Err(Forged::NoSecret),
        (true, None) => Err(Forged::Wrong),
        (true, Some(claims)) => Ok(claims),
    }
}
