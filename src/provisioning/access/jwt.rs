//! Tokens of the auth service: signed by a key of its published set, for us, by it, and in time.

use arc_swap::ArcSwap;
use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::model::{Millis, TenantId};

/// What a token must be.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// Its `iss`.
    pub issuer: String,
    /// One of its `aud`.
    pub audience: String,
    /// Names of signature algorithms; only asymmetric ones.
    pub algorithms: Vec<String>,
    /// Claim with the tenant's id.
    pub tenant_claim: String,
    /// Claim with the agent's login; `sub` where it is absent.
    pub login_claim: String,
    /// Seconds our clocks may differ.
    pub leeway_sec: u64,
}

impl Default for TokenSettings {
    fn default() -> Self {
        TokenSettings {
            issuer: String::new(),
            audience: "nexus".to_owned(),
            algorithms: vec!["RS256".to_owned(), "ES256".to_owned()],
            tenant_claim: "contact_center_id".to_owned(),
            login_claim: "user_name".to_owned(),
            leeway_sec: 30,
        }
    }
}

/// Why a verifier cannot be made or given keys.
#[derive(Debug, Error)]
pub enum TokenSettingsError {
    /// A name that is no asymmetric algorithm we know.
    #[error("{0} is not an asymmetric signature algorithm")]
    Algorithm(String),
    /// No algorithm, issuer or audience.
    #[error("tokens need {0}")]
    Missing(&'static str),
    /// The key set cannot be read.
    #[error("the key set is not a JWKS document")]
    KeySet,
    /// The key set has no key a signature could be checked with.
    #[error("the key set has no usable key")]
    NoKey,
}

/// Verifies tokens. Keys may be replaced while it is in use.
pub struct TokenVerifier {
    settings: TokenSettings,
    algorithms: Vec<Algorithm>,
    keys: ArcSwap<Vec<Key>>,
}

struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    key: DecodingKey,
}

/// What a verified token says.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) tenant: TenantId,
    pub(super) login: Option<String>,
    pub(super) subject: String,
    pub(super) permissions: Vec<String>,
}

/// The token is not acceptable. Why is for our log only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("token refused: {0}")]
pub(super) struct TokenRefused(pub(super) &'static str);

/// Longer tokens are refused unread.
const TOKEN_MAX: usize = 16 * 1024;
/// A token without a key's name is tried with each; nobody publishes more.
const MOST_KEYS: usize = 64;

impl TokenVerifier {
    /// A verifier with the keys of a JWKS document.
    ///
    /// # Errors
    /// [`TokenSettingsError`].
    pub fn new(settings: TokenSettings, jwks: &str) -> Result<Self, TokenSettingsError> {
        let verifier = Self::without_keys(settings)?;
        verifier.replace_keys(jwks)?;
        Ok(verifier)
    }

    /// A verifier that refuses every token until it is given keys.
    ///
    /// # Errors
    /// [`TokenSettingsError::Algorithm`], [`TokenSettingsError::Missing`].
    pub fn without_keys(settings: TokenSettings) -> Result<Self, TokenSettingsError> {
        let algorithms = settings
            .algorithms
            .iter()
            .map(|name| match name.parse() {
                Ok(Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) | Err(_) => {
                    Err(TokenSettingsError::Algorithm(name.clone()))
                }
                Ok(algorithm) => Ok(algorithm),
            })
            .collect::<Result<Vec<Algorithm>, _>>()?;
        for (missing, what) in [
            (algorithms.is_empty(), "an algorithm"),
            (settings.issuer.is_empty(), "an issuer"),
            (settings.audience.is_empty(), "an audience"),
        ] {
            if missing {
                return Err(TokenSettingsError::Missing(what));
            }
        }
        Ok(TokenVerifier {
            settings,
            algorithms,
            keys: ArcSwap::from_pointee(Vec::new()),
        })
    }

    /// Replaces the keys; tokens of the old ones are refused from now on. Gives how many there are. Keys of kinds we do
    /// not use are passed over, and those beyond 64.
    ///
    /// # Errors
    /// [`TokenSettingsError::KeySet`], [`TokenSettingsError::NoKey`]; the old keys stay.
    pub fn replace_keys(&self, jwks: &str) -> Result<usize, TokenSettingsError> {
        let set: JwkSet = serde_json::from_str(jwks).map_err(|_| TokenSettingsError::KeySet)?;
        let usable = set.keys.iter().filter(|jwk| {
            let signs = !matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption));
            signs
                && !matches!(
                    jwk.algorithm,
                    AlgorithmParameters::OctetKey(_) | AlgorithmParameters::Other(_)
                )
        });
        let keys: Vec<Key> = usable
            .filter_map(|jwk| {
                Some(Key {
                    id: jwk.common.key_id.clone(),
                    algorithm: jwk.common.key_algorithm.map(|algorithm| algorithm.to_string()),
                    key: DecodingKey::from_jwk(jwk).ok()?,
                })
            })
            .take(MOST_KEYS)
            .collect();
        let count = keys.len();
        if count == 0 {
            return Err(TokenSettingsError::NoKey);
        }
        self.keys.store(std::sync::Arc::new(keys));
        Ok(count)
    }

    /// Whether a token may be good, but names a key that is not known, or none is known yet.
    pub(super) fn lacks_key_of(&self, token: &str) -> bool {
        if token.len() > TOKEN_MAX {
            return false;
        }
        let Ok(header) = decode_header(token) else {
            return false;
        };
        let keys = self.keys.load();
        let named = header.kid.is_some() && !keys.iter().any(|key| key.id == header.kid);
        self.algorithms.contains(&header.alg) && (named || keys.is_empty())
    }

    pub(super) fn verify(&self, token: &str, now: Millis) -> Result<Claims, TokenRefused> {
        if token.len() > TOKEN_MAX {
            return Err(TokenRefused("too long"));
        }
        let header = decode_header(token).map_err(|_| TokenRefused("malformed"))?;
        if !self.algorithms.contains(&header.alg) {
            return Err(TokenRefused("algorithm"));
        }
        if header.crit.is_some() {
            return Err(TokenRefused("critical header"));
        }
        let algorithm = format!("{:?}", header.alg);
        let keys = self.keys.load();
        let mut candidates = keys.iter().filter(|key| {
            let named = header.kid.is_none() || key.id == header.kid;
            named && key.algorithm.as_ref().is_none_or(|own| *own == algorithm)
        });
        let validation = self.validation(header.alg);
        let claims = candidates
            .find_map(|key| decode::<Map<String, Value>>(token, &key.key, &validation).ok())
            .ok_or(TokenRefused("signature, issuer or audience"))?
            .claims;
        self.in_time(&claims, now)?;
        self.read(&claims)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        // Time is an argument here; `in_time` looks at it.
        validation.validate_exp = false;
        validation
    }

    fn in_time(&self, claims: &Map<String, Value>, now: Millis) -> Result<(), TokenRefused> {
        let leeway = self.settings.leeway_sec.saturating_mul(1000);
        let at = |name: &str| claims.get(name).and_then(Value::as_f64);
        let ms = |seconds: f64| Millis(if seconds > 0.0 { whole_ms(seconds) } else { 0 });
        let expires = at("exp").map(ms).ok_or(TokenRefused("no expiry"))?;
        if now >= expires.plus(leeway) {
            return Err(TokenRefused("expired"));
        }
        match at("nbf").map(ms) {
            Some(from) if now.plus(leeway) < from => Err(TokenRefused("not valid yet")),
            _ => Ok(()),
        }
    }

    fn read(&self, claims: &Map<String, Value>) -> Result<Claims, TokenRefused> {
        let text = |name: &str| {
            claims
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| text.len() <= 128)
        };
        let tenant = text(&self.settings.tenant_claim).and_then(|tenant| tenant.parse().ok());
        let subject = text("sub").ok_or(TokenRefused("no subject"))?;
        let permissions = claims.get("permissions").and_then(Value::as_array);
        Ok(Claims {
            tenant: tenant.ok_or(TokenRefused("no tenant"))?,
            login: text(&self.settings.login_claim).map(str::to_owned),
            subject: subject.to_owned(),
            permissions: permissions
                .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                .unwrap_or_default(),
        })
    }
}

/// Dates far beyond any clock end at its end.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts from floating point saturate, and the value is positive"
)]
fn whole_ms(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::Jwk;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    const NOW: Millis = Millis(1_700_000_000_000);
    const TENANT: &str = "7c1c0f0e-52a1-4a0b-9f38-1c2d3e4f5a6b";

    struct Issuer {
        key: EncodingKey,
        jwks: String,
    }

    /// An issuer with a fresh P-256 key.
    fn issuer(kid: &str) -> Issuer {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        Issuer {
            key,
            jwks: json!({"keys": [jwk]}).to_string(),
        }
    }

    fn settings() -> TokenSettings {
        TokenSettings {
            issuer: "https://auth.example.com".to_owned(),
            ..TokenSettings::default()
        }
    }

    fn claims() -> Value {
        json!({"iss": "https://auth.example.com", "aud": ["nexus", "other"], "exp": 1_700_000_600, "sub": "u-1",
            "contact_center_id": TENANT, "user_name": "alice"})
    }

    fn sign(issuer: &Issuer, kid: &str, claims: &Value) -> String {
        let header = Header {
            kid: Some(kid.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        encode(&header, claims, &issuer.key).unwrap()
    }

    #[test]
    fn a_good_token_names_tenant_and_login() {
        let issuer = issuer("k1");
        let verifier = TokenVerifier::new(settings(), &issuer.jwks).unwrap();
        let claims = verifier.verify(&sign(&issuer, "k1", &claims()), NOW).unwrap();
        assert_eq!(
            (claims.tenant.to_string().as_str(), claims.login.as_deref()),
            (TENANT, Some("alice"))
        );
    }

    #[test]
    fn a_token_for_others_by_others_or_out_of_time_is_refused() {
        let issuer = issuer("k1");
        let verifier = TokenVerifier::new(settings(), &issuer.jwks).unwrap();
        for (field, value) in [
            ("iss", json!("https://evil.example.com")),
            ("aud", json!("other")),
            ("exp", json!(1_699_999_000)),
            ("exp", json!("soon")),
            ("nbf", json!(1_700_001_000)),
            ("contact_center_id", json!("not-a-uuid")),
            ("sub", Value::Null),
        ] {
            let mut bad = claims();
            bad[field] = value;
            assert!(
                verifier.verify(&sign(&issuer, "k1", &bad), NOW).is_err(),
                "{field}"
            );
        }
        for field in ["iss", "aud", "exp"] {
            let mut bad = claims();
            bad.as_object_mut().unwrap().remove(field);
            assert!(
                verifier.verify(&sign(&issuer, "k1", &bad), NOW).is_err(),
                "no {field}"
            );
        }
    }

    #[test]
    fn only_listed_algorithms_and_known_keys_count() {
        let (good, evil) = (issuer("k1"), issuer("k1"));
        let verifier = TokenVerifier::new(settings(), &good.jwks).unwrap();
        assert!(verifier.verify(&sign(&evil, "k1", &claims()), NOW).is_err());
        assert!(verifier.verify(&sign(&good, "k2", &claims()), NOW).is_err());
        // The public key's text used as a shared secret.
        let secret = EncodingKey::from_secret(good.jwks.as_bytes());
        let forged = encode(&Header::new(Algorithm::HS256), &claims(), &secret).unwrap();
        assert_eq!(
            verifier.verify(&forged, NOW).unwrap_err(),
            TokenRefused("algorithm")
        );
        let unsigned = format!("{}.{}.", "eyJhbGciOiJub25lIn0", "e30");
        assert!(verifier.verify(&unsigned, NOW).is_err());
    }

    #[test]
    fn symmetric_settings_and_key_sets_are_refused() {
        let with = |algorithms: Vec<String>| TokenSettings {
            algorithms,
            ..settings()
        };
        let jwks = issuer("k1").jwks;
        assert!(TokenVerifier::new(with(vec!["HS256".to_owned()]), &jwks).is_err());
        assert!(TokenVerifier::new(with(vec![]), &jwks).is_err());
        let symmetric = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#;
        assert!(matches!(
            TokenVerifier::new(settings(), symmetric),
            Err(TokenSettingsError::NoKey)
        ));
    }

    #[test]
    fn only_a_sound_token_with_an_unknown_key_asks_for_newer_keys() {
        let (known, new) = (issuer("k1"), issuer("k2"));
        let verifier = TokenVerifier::without_keys(settings()).unwrap();
        let tokens = [("k1", &known), ("k2", &new)].map(|(kid, issuer)| sign(issuer, kid, &claims()));
        assert!(tokens.iter().all(|token| verifier.lacks_key_of(token)));
        assert!(
            tokens.iter().all(|token| verifier.verify(token, NOW).is_err()),
            "no key, no entry"
        );
        verifier.replace_keys(&known.jwks).unwrap();
        assert_eq!(tokens.map(|token| verifier.lacks_key_of(&token)), [false, true]);
        let secret = EncodingKey::from_secret(b"x");
        let symmetric = encode(&Header::new(Algorithm::HS256), &claims(), &secret).unwrap();
        for nonsense in [symmetric.as_str(), "ey.ey.ey", "", &"e".repeat(TOKEN_MAX + 1)] {
            assert!(!verifier.lacks_key_of(nonsense), "{nonsense}");
        }
    }

    #[test]
    fn keys_are_replaced_while_in_use() {
        let (old, new) = (issuer("k1"), issuer("k2"));
        let verifier = TokenVerifier::new(settings(), &old.jwks).unwrap();
        assert!(verifier.verify(&sign(&new, "k2", &claims()), NOW).is_err());
        verifier.replace_keys(&new.jwks).unwrap();
        assert!(verifier.verify(&sign(&new, "k2", &claims()), NOW).is_ok());
        assert!(verifier.replace_keys("{}").is_err());
        assert!(verifier.verify(&sign(&new, "k2", &claims()), NOW).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_refused_calmly(text in "\\PC{0,200}") {
            let issuer = issuer("k1");
            let verifier = TokenVerifier::new(settings(), &issuer.jwks).unwrap();
            proptest::prop_assert!(verifier.verify(&text, NOW).is_err());
        }
    }
}
