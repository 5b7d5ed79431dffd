//! The PROXY protocol header, versions 1 and 2, of a balancer in front of us.
//!
//! Reads exactly the header and not a byte more, so that what follows (TLS or HTTP) is untouched. Only called
//! for peers inside the trusted ranges, where a missing or broken header ends the connection: guessing would
//! let a client speak in the balancer's name.

use std::io;
use std::net::SocketAddr;

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest version 1 line, with its line end.
const V1_MAX: usize = 107;
/// Longest version 2 header taken: the fixed part and this much addresses and extensions.
const V2_MAX: usize = 1024;

/// Reads the header. `None` when the balancer speaks for itself (a health check).
///
/// # Errors
/// `InvalidData` when there is no sound header.
pub(crate) async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut header = vec![0; V2_SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == V2_SIGNATURE {
        header.resize(16, 0);
        stream.read_exact(&mut header[12..]).await?;
        let len = usize::from(u16::from_be_bytes([header[14], header[15]]));
        if len > V2_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        header.resize(16 + len, 0);
        stream.read_exact(&mut header[16..]).await?;
    } else {
        if !header.starts_with(b"PROXY ") {
            return Err(io::ErrorKind::InvalidData.into());
        }
        while !header.ends_with(b"\r\n") {
            if header.len() >= V1_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            header.push(stream.read_u8().await?);
        }
    }
    let config = ParseConfig {
        include_tlvs: false,
        ..ParseConfig::default()
    };
    match ProxyHeader::parse(&header, config) {
        Ok((parsed, used)) if used == header.len() => {
            Ok(parsed.proxied_address().map(|address| address.source))
        }
        Ok(_) | Err(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    async fn read(bytes: &[u8]) -> (io::Result<Option<SocketAddr>>, Vec<u8>) {
        let mut rest = bytes;
        let header = read_header(&mut rest).await;
        (header, rest.to_vec())
    }

    fn version_2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let len = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [
            V2_SIGNATURE.as_slice(),
            &[0x20 | command, family],
            &len,
            addresses,
        ]
        .concat()
    }

    #[tokio::test]
    async fn both_versions_are_read_and_nothing_after_them() {
        let v1 = b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\nGET /".as_slice();
        let (header, rest) = read(v1).await;
        assert_eq!(header.unwrap(), Some("192.0.2.1:4711".parse().unwrap()));
        assert_eq!(rest, b"GET /");

        let addresses = [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x67, 1, 187];
        let (header, rest) = read(&[version_2(1, 0x11, &addresses), b"x".to_vec()].concat()).await;
        assert_eq!(header.unwrap(), Some("192.0.2.1:4711".parse().unwrap()));
        assert_eq!(rest, b"x");
    }

    #[tokio::test]
    async fn a_balancer_may_speak_for_itself() {
        assert_eq!(read(b"PROXY UNKNOWN\r\n").await.0.unwrap(), None);
        assert_eq!(read(&version_2(0, 0, &[])).await.0.unwrap(), None);
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let huge = version_2(1, 0x11, &[0; 2000]);
        let endless = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        for bytes in [
            b"GET / HTTP/1.1\r\n\r\n".as_slice(),
            b"PROXY TCP4 x y 1 2\r\n",
            b"PROXY",
            &huge,
            &endless,
        ] {
            assert!(read(bytes).await.0.is_err());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), version_2 in any::<bool>()) {
            let bytes = if version_2 { [V2_SIGNATURE.as_slice(), &bytes].concat() } else { bytes };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _ = runtime.block_on(read(&bytes));
        }
    }
}
