//! A self-signed certificate for the loopback, made once and kept.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::certificate::CertificateFiles;

/// The names it is good for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The development certificate in `dir`, generated if it is not there yet. The key is readable only by its
/// owner. Never for production: no client trusts it by itself.
///
/// # Errors
/// When `dir` cannot be written, or no key can be generated.
pub fn development_certificate(dir: &Path) -> io::Result<CertificateFiles> {
    let files = CertificateFiles {
        chain: dir.join("development-certificate.pem"),
        key: dir.join("development-key.pem"),
    };
    if files.chain.exists() && files.key.exists() {
        return Ok(files);
    }
    fs::create_dir_all(dir)?;
    let made = rcgen::generate_simple_self_signed(NAMES.map(str::to_owned)).map_err(io::Error::other)?;
    let key = made.signing_key.serialize_pem();
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&files.key)?;
    file.write_all(key.as_bytes())?;
    fs::write(&files.chain, made.cert.pem())?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_certificate_is_made_once_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let files = development_certificate(dir.path()).unwrap();
        let first = fs::read(&files.chain).unwrap();
        assert_eq!(
            fs::metadata(&files.key).unwrap().permissions().mode() & 0o777,
            0o600
        );
        development_certificate(dir.path()).unwrap();
        assert_eq!(fs::read(&files.chain).unwrap(), first);
    }
}
