//! The traffic secrets of one connection, kept from its handshake until its record layer is taken over.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::server::ServerConnection;
use rustls::{ConnectionTrafficSecrets, KeyLog, ProtocolVersion};
use zeroize::Zeroizing;

use super::record::Channel;

type Secret = Zeroizing<Vec<u8>>;

/// Where rustls leaves the secrets of one connection. Never written anywhere else.
#[derive(Default)]
pub(crate) struct TrafficSecrets(Mutex<[Option<Secret>; 2]>);

const LABELS: [&str; 2] = ["CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"];

impl KeyLog for TrafficSecrets {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        if let Some(at) = LABELS.iter().position(|known| *known == label) {
            let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            secrets[at] = Some(Zeroizing::new(secret.to_vec()));
        }
    }

    fn will_log(&self, label: &str) -> bool {
        LABELS.contains(&label)
    }
}

impl std::fmt::Debug for TrafficSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrafficSecrets").finish_non_exhaustive()
    }
}

/// Whether [`take_over`] can take over from `session`: TLS 1.3, and nothing on its way out.
pub(crate) fn can_take_over(session: &ServerConnection) -> bool {
    session.protocol_version() == Some(ProtocolVersion::TLSv1_3)
        && !session.is_handshaking()
        && !session.wants_write()
}

/// The record layer of `session`, with its counters where they stand. `None` when it cannot be taken over;
/// the session is then lost.
pub(crate) fn take_over(session: ServerConnection, secrets: &Arc<TrafficSecrets>) -> Option<Channel> {
    let suite = session.negotiated_cipher_suite()?.suite();
    let extracted = session.dangerous_extract_secrets().ok()?;
    let mut secrets = secrets.0.lock().unwrap_or_else(PoisonError::into_inner);
    let [receive, send] = [secrets[0].take()?, secrets[1].take()?];
    let channel = Channel::new(suite, (extracted.rx.0, &receive), (extracted.tx.0, &send))?;
    // Keys may have been updated since the handshake; then the first secrets do not lead to them.
    channel
        .has_keys(key_of(&extracted.rx.1)?, key_of(&extracted.tx.1)?)
        .then_some(channel)
}

fn key_of(secrets: &ConnectionTrafficSecrets) -> Option<&[u8]> {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, .. }
        | ConnectionTrafficSecrets::Aes256Gcm { key, .. }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, .. } => Some(key.as_ref()),
        _ => None,
    }
}
