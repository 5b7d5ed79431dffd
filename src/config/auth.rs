//! `[auth]`: tokens of the auth service, which agents and administrators present.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::section;

section! {
    /// `[auth]`.
    pub struct Auth {
        /// The published key set of the auth service (JWKS). Absent: only credentials of provisioning are taken.
        pub jwks_file: Option<PathBuf> = None,
        /// Where it is published. In the place of a file.
        pub jwks_url: Option<String> = None,
        /// How often it is fetched.
        pub jwks_refresh: Duration = Duration::from_secs(600),
        /// The least time between two fetches, however many tokens name an unknown key.
        pub jwks_cooldown: Duration = Duration::from_secs(10),
        /// The `iss` of its tokens.
        pub issuer: Option<String> = None,
        /// What must be in the `aud` of its tokens.
        pub audience: String = "nexus".to_owned(),
        /// Signature algorithms that are taken; only asymmetric ones.
        pub algorithms: Vec<String> = ["RS256", "ES256"].map(str::to_owned).to_vec(),
        /// The claim that holds the tenant's id.
        pub tenant_claim: String = "contact_center_id".to_owned(),
        /// The claim that holds the agent's login; `sub` where it is absent.
        pub login_claim: String = "user_name".to_owned(),
        /// How far clocks may differ.
        pub leeway: Duration = Duration::from_secs(30),
    }
}
