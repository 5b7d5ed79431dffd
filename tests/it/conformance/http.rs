//! HTTP/1.1 over raw connections: what could be read in two ways is refused, and nothing behind it is answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use super::Echoes;
use crate::net_http::{SECOND, answers_in, broken_bodies, refused_heads, status_of};

/// Believes everybody: what is judged here is what comes after.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

trait Both: Read + Write {}
impl<T: Read + Write> Both for T {}

fn connect(at: SocketAddr, tls: bool) -> Box<dyn Both> {
    let tcp = TcpStream::connect(at).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    if !tls {
        return Box::new(tcp);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    Box::new(StreamOwned::new(session, tcp))
}

/// Everything that comes back until the server closes.
fn exchange(at: SocketAddr, tls: bool, request: &[u8]) -> String {
    let mut stream = connect(at, tls);
    // A server that has already answered and closed is seen in what is read.
    let _ = stream.write_all(request).and_then(|()| stream.flush());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn what_could_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_answered() {
    let echoes = Echoes::start(&[]);
    for (at, tls) in [(echoes.plain, false), (echoes.tls, true)] {
        let heads = refused_heads().into_iter();
        let bodies = broken_bodies()
            .into_iter()
            .map(|request| ("a broken body", 400, request.into_bytes()));
        for (name, status, request) in heads.chain(bodies) {
            let answer = exchange(at, tls, &[&request, SECOND.as_bytes()].concat());
            let shown = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
            assert_eq!(status_of(&answer), status, "{name}: {shown:?} got {answer:?}");
            assert_eq!(answers_in(&answer), 1, "{name}: {shown:?} got {answer:?}");
        }
    }
}

#[test]
fn sound_requests_are_answered_in_their_order_on_one_connection() {
    let echoes = Echoes::start(&[]);
    let requests = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none\
        POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;x=\"y\"\r\nt\r\n2\r\nwo\r\n0\r\nX-Trailer: z\r\n\r\n\
        HEAD / HTTP/1.1\r\nHost: h\r\n\r\n\
        POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nthree";
    for (at, tls) in [(echoes.plain, false), (echoes.tls, true)] {
        let answer = exchange(at, tls, requests.as_bytes());
        assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 4, "{answer}");
        let at = |body: &str| {
            answer
                .find(body)
                .unwrap_or_else(|| panic!("no {body:?} in {answer}"))
        };
        assert!(at("\r\n\r\none") < at("\r\n\r\ntwo") && at("\r\n\r\ntwo") < at("\r\n\r\nthree"));
        assert!(answer.ends_with("three"));
    }
}
