//! Authenticated encryption of small values.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use thiserror::Error;
use zeroize::Zeroizing;

/// A key for AES-256-GCM-SIV with random nonces. The misuse-resistant mode, because a nonce that repeats after a
/// restored virtual machine must not give the key away.
pub(in crate::provisioning) struct Cipher(RandomizedNonceKey);

/// What was sealed cannot be opened: another key, another place, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("sealed value cannot be opened")]
pub struct Unopenable;

impl Cipher {
    /// A cipher under a key of 256 bits.
    pub(in crate::provisioning) fn new(key: &[u8; 32]) -> Result<Self, Unopenable> {
        RandomizedNonceKey::new(&AES_256_GCM_SIV, key)
            .map(Cipher)
            .map_err(|_| Unopenable)
    }

    /// Nonce, ciphertext and tag after `prefix`. `bound_to` must be given again to open.
    pub(in crate::provisioning) fn seal(
        &self,
        prefix: &[u8],
        bound_to: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, Unopenable> {
        let mut body = plain.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(bound_to), &mut body)
            .map_err(|_| Unopenable)?;
        let mut out = Vec::with_capacity(prefix.len() + NONCE_LEN + body.len());
        out.extend_from_slice(prefix);
        out.extend_from_slice(nonce.as_ref());
        out.append(&mut body);
        Ok(out)
    }

    /// Opens what [`Cipher::seal`] wrote after the prefix.
    pub(in crate::provisioning) fn open(
        &self,
        bound_to: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unopenable> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(Unopenable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unopenable)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self
            .0
            .open_in_place(nonce, Aad::from(bound_to), &mut body)
            .map_err(|_| Unopenable)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_in_its_place() {
        let cipher = Cipher::new(&[7; 32]).unwrap();
        let sealed = cipher.seal(b"", b"here", b"treasure").unwrap();
        assert_eq!(cipher.open(b"here", &sealed).unwrap().as_slice(), b"treasure");
        assert_eq!(cipher.open(b"there", &sealed), Err(Unopenable));
        for i in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[i] ^= 1;
            assert_eq!(cipher.open(b"here", &bent), Err(Unopenable));
            assert_eq!(cipher.open(b"here", &sealed[..i]), Err(Unopenable));
        }
    }
}
