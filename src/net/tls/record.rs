//! The TLS 1.3 record layer of a connection whose handshake is over (RFC 8446 section 5).
//!
//! Pure: bytes in, bytes out. It exists for connections that live long and say little: what a connection
//! keeps here is two secrets, two keys and two counters, a couple of hundred bytes in place of several
//! thousand; keys are expanded when they are used. Handshakes, certificates and tickets stay with rustls.
//!
//! What must never happen here: a nonce used twice, plaintext out of a record that did not authenticate,
//! anything read after an error or a `close_notify`.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, HKDF_SHA384, KeyType, Prk};
use rustls::CipherSuite;
use zeroize::Zeroizing;

/// Bytes of a record before its payload.
const HEADER: usize = 5;
/// Bytes of the authentication tag.
const TAG: usize = 16;
/// Bytes of a nonce, and of the base that nonces are made from.
const IV: usize = 12;
/// Most plaintext in a record.
pub(crate) const MAX_PLAIN: usize = 1 << 14;
/// Longest payload of a protected record.
const MAX_PAYLOAD: usize = MAX_PLAIN + 256;
/// The longest record, header included.
pub(crate) const MAX_RECORD: usize = HEADER + MAX_PAYLOAD;
/// Records after which we change our sending key; well below the limit of AES-GCM (RFC 8446 section 5.5).
const RECORDS_A_KEY: u64 = 1 << 23;
/// Records without application data that may follow one another.
const MAX_FRUITLESS: u8 = 32;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const KEY_UPDATE: u8 = 24;

/// Why a connection cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("record did not authenticate")]
    BadMac,
    #[error("record too long")]
    Overflow,
    #[error("record of an unexpected type")]
    Unexpected,
    #[error("peer sent alert {0}")]
    PeerAlert(u8),
    #[error("cryptography failed")]
    Crypto,
}

impl RecordError {
    /// The alert that tells the peer, where one does.
    fn alert(self) -> Option<u8> {
        match self {
            Self::BadMac => Some(20),
            Self::Overflow => Some(22),
            Self::Unexpected => Some(10),
            Self::Crypto => Some(80),
            Self::PeerAlert(_) => None,
        }
    }
}

/// The three suites of TLS 1.3 that rustls offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suite {
    Aes128,
    Aes256,
    Chacha20,
}

impl Suite {
    fn of(suite: CipherSuite) -> Option<Self> {
        match suite {
            CipherSuite::TLS13_AES_128_GCM_SHA256 => Some(Self::Aes128),
            CipherSuite::TLS13_AES_256_GCM_SHA384 => Some(Self::Aes256),
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => Some(Self::Chacha20),
            _ => None,
        }
    }

    fn key_len(self) -> usize {
        if self == Self::Aes128 { 16 } else { 32 }
    }

    fn secret_len(self) -> usize {
        if self == Self::Aes256 { 48 } else { 32 }
    }
}

/// One direction: its traffic secret, the key and nonce base made from it, and how many records it has seen.
struct Side {
    suite: Suite,
    /// The three one behind the other, as long as the suite has them.
    material: Zeroizing<Box<[u8]>>,
    sequence: u64,
}

impl Side {
    fn new(suite: Suite, secret: &[u8], sequence: u64) -> Result<Self, RecordError> {
        let len = suite.secret_len();
        if secret.len() != len {
            return Err(RecordError::Crypto);
        }
        let mut material = vec![0; len + suite.key_len() + IV].into_boxed_slice();
        material[..len].copy_from_slice(secret);
        let mut side = Self {
            suite,
            material: Zeroizing::new(material),
            sequence,
        };
        side.derive()?;
        Ok(side)
    }

    fn derive(&mut self) -> Result<(), RecordError> {
        let prk = self.prk();
        let made = &mut self.material[self.suite.secret_len()..];
        let (key, iv) = made.split_at_mut(self.suite.key_len());
        expand(&prk, b"key", key)?;
        expand(&prk, b"iv", iv)
    }

    fn prk(&self) -> Prk {
        let hash = if self.suite == Suite::Aes256 {
            HKDF_SHA384
        } else {
            HKDF_SHA256
        };
        Prk::new_less_safe(hash, &self.material[..self.suite.secret_len()])
    }

    fn key(&self) -> &[u8] {
        &self.material[self.suite.secret_len()..][..self.suite.key_len()]
    }

    /// The next generation of keys (RFC 8446 section 7.2).
    fn update(&mut self) -> Result<(), RecordError> {
        let prk = self.prk();
        let len = self.suite.secret_len();
        expand(&prk, b"traffic upd", &mut self.material[..len])?;
        self.sequence = 0;
        self.derive()
    }

    fn expanded(&self) -> Result<LessSafeKey, RecordError> {
        let algorithm = match self.suite {
            Suite::Aes128 => &AES_128_GCM,
            Suite::Aes256 => &AES_256_GCM,
            Suite::Chacha20 => &CHACHA20_POLY1305,
        };
        let key = UnboundKey::new(algorithm, self.key());
        key.map(LessSafeKey::new).map_err(|_| RecordError::Crypto)
    }

    /// The nonce of the next record; never the same twice under one key.
    fn next_nonce(&mut self) -> Result<Nonce, RecordError> {
        let sequence = self.sequence;
        self.sequence = sequence.checked_add(1).ok_or(RecordError::Crypto)?;
        let mut nonce = *self.material.last_chunk::<IV>().ok_or(RecordError::Crypto)?;
        for (byte, counted) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
            *byte ^= counted;
        }
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

struct Len(usize);

impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label without a context (RFC 8446 section 7.1).
fn expand(prk: &Prk, label: &[u8], out: &mut [u8]) -> Result<(), RecordError> {
    let len = u16::try_from(out.len())
        .map_err(|_| RecordError::Crypto)?
        .to_be_bytes();
    let label_len = [u8::try_from(6 + label.len()).map_err(|_| RecordError::Crypto)?];
    let info = [len.as_slice(), &label_len, b"tls13 ", label, &[0]];
    let filled = prk.expand(&info, Len(out.len())).and_then(|okm| okm.fill(out));
    filled.map_err(|_| RecordError::Crypto)
}

/// Both directions of one connection.
pub(crate) struct Channel {
    receive: Side,
    send: Side,
    fruitless: u8,
    over: bool,
}

/// What was found in some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// So many bytes of application data, now at the front.
    pub(crate) plain: usize,
    /// So many bytes were whole records; the rest has to be given again with what follows.
    pub(crate) consumed: usize,
    /// The peer has said its last word.
    pub(crate) closed: bool,
}

impl Channel {
    /// A channel under these traffic secrets, with so many records behind it in each direction. `None` for a
    /// suite it does not know.
    pub(crate) fn new(suite: CipherSuite, receive: (u64, &[u8]), send: (u64, &[u8])) -> Option<Self> {
        let suite = Suite::of(suite)?;
        let receive = Side::new(suite, receive.1, receive.0).ok()?;
        let send = Side::new(suite, send.1, send.0).ok()?;
        Some(Self {
            receive,
            send,
            fruitless: 0,
            over: false,
        })
    }

    /// Whether the keys are these, as the handshake made them.
    pub(crate) fn has_keys(&self, receive: &[u8], send: &[u8]) -> bool {
        self.receive.key() == receive && self.send.key() == send
    }

    /// Opens every whole record of `bytes` in place. Records that answer the peer go to `out`.
    ///
    /// # Errors
    /// [`RecordError`]; nothing can be read afterwards, and the alert for the peer is in `out`.
    pub(crate) fn open(&mut self, bytes: &mut [u8], out: &mut Vec<u8>) -> Result<Opened, RecordError> {
        let opened = self.open_records(bytes, out);
        if let Err(error) = opened
            && !std::mem::replace(&mut self.over, true)
            && let Some(alert) = error.alert()
        {
            self.seal(ALERT, &[2, alert], out)?;
        }
        opened
    }

    fn open_records(&mut self, bytes: &mut [u8], out: &mut Vec<u8>) -> Result<Opened, RecordError> {
        if self.over {
            return Ok(Opened {
                plain: 0,
                consumed: bytes.len(),
                closed: true,
            });
        }
        let mut key = self.receive.expanded()?;
        let (mut at, mut plain) = (0, 0);
        while let Some(header) = bytes[at..].first_chunk::<HEADER>().copied() {
            let len = usize::from(u16::from_be_bytes([header[3], header[4]]));
            if header[0] != APPLICATION_DATA {
                return Err(RecordError::Unexpected);
            }
            if len > MAX_PAYLOAD {
                return Err(RecordError::Overflow);
            }
            let start = at + HEADER;
            let Some(payload) = bytes.get_mut(start..start + len) else {
                break;
            };
            let nonce = self.receive.next_nonce()?;
            let inner = key
                .open_in_place(nonce, Aad::from(header), payload)
                .map_err(|_| RecordError::BadMac)?;
            let content = inner
                .iter()
                .rposition(|byte| *byte != 0)
                .ok_or(RecordError::Unexpected)?;
            if content > MAX_PLAIN {
                return Err(RecordError::Overflow);
            }
            let kind = inner[content];
            at = start + len;
            self.fruitless = if kind == APPLICATION_DATA && content > 0 {
                0
            } else {
                self.fruitless + 1
            };
            if self.fruitless > MAX_FRUITLESS {
                return Err(RecordError::Unexpected);
            }
            match kind {
                APPLICATION_DATA => {
                    bytes.copy_within(start..start + content, plain);
                    plain += content;
                }
                ALERT => match inner[..content] {
                    [_, 0] => {
                        self.over = true;
                        return Ok(Opened {
                            plain,
                            consumed: bytes.len(),
                            closed: true,
                        });
                    }
                    [_, alert] => return Err(RecordError::PeerAlert(alert)),
                    _ => return Err(RecordError::Unexpected),
                },
                HANDSHAKE => match inner[..content] {
                    [KEY_UPDATE, 0, 0, 1, answer @ (0 | 1)] => {
                        self.receive.update()?;
                        key = self.receive.expanded()?;
                        if answer == 1 {
                            self.update_send_key(out)?;
                        }
                    }
                    _ => return Err(RecordError::Unexpected),
                },
                _ => return Err(RecordError::Unexpected),
            }
        }
        Ok(Opened {
            plain,
            consumed: at,
            closed: false,
        })
    }

    /// Appends `data` to `out` as records of application data.
    ///
    /// # Errors
    /// [`RecordError::Crypto`].
    pub(crate) fn seal_data(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
        for piece in data.chunks(MAX_PLAIN) {
            if self.send.sequence >= RECORDS_A_KEY {
                self.update_send_key(out)?;
            }
            self.seal(APPLICATION_DATA, piece, out)?;
        }
        Ok(())
    }

    /// Appends the last word.
    ///
    /// # Errors
    /// [`RecordError::Crypto`].
    pub(crate) fn seal_close(&mut self, out: &mut Vec<u8>) -> Result<(), RecordError> {
        self.seal(ALERT, &[1, 0], out)
    }

    fn update_send_key(&mut self, out: &mut Vec<u8>) -> Result<(), RecordError> {
        self.seal(HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 0], out)?;
        self.send.update()
    }

    fn seal(&mut self, kind: u8, plain: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
        let key = self.send.expanded()?;
        let nonce = self.send.next_nonce()?;
        let len = u16::try_from(plain.len() + 1 + TAG)
            .map_err(|_| RecordError::Overflow)?
            .to_be_bytes();
        let header = [APPLICATION_DATA, 3, 3, len[0], len[1]];
        out.reserve(HEADER + plain.len() + 1 + TAG);
        out.extend_from_slice(&header);
        let start = out.len();
        out.extend_from_slice(plain);
        out.push(kind);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(header), &mut out[start..]);
        out.extend_from_slice(tag.map_err(|_| RecordError::Crypto)?.as_ref());
        Ok(())
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
