//! The internal listener behind certificates: who shows none of the right authority does not come in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nexus::net::tls::read_authorities;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::net_client::issued::{Authority, Leaf};
use crate::support::process::Nexus;

/// A client that believes `authority`, and shows the certificate in `shown` if there is one.
fn client(authority: &Authority, shown: Option<(&Path, &Path)>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for root in read_authorities(&authority.file).unwrap() {
        roots.add(root).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match shown {
        None => config.with_no_client_auth(),
        Some((chain, key)) => config
            .with_client_auth_cert(
                read_authorities(chain).unwrap(),
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap(),
    })
}

/// The status of an answer; `None` where the connection was refused.
fn ask(client: &Arc<ClientConfig>, at: SocketAddr) -> Option<u16> {
    let tcp = TcpStream::connect(at).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let session = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut stream = StreamOwned::new(session, tcp);
    let request = "GET /nexus/v3/routing/endpoints HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    answer.split(' ').nth(1)?.parse().ok()
}

#[test]
fn only_a_certificate_of_the_named_authority_opens_the_internal_listener() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let files = |leaf: &Leaf| {
        let dir = tempfile::tempdir().unwrap();
        let (chain, key) = leaf.files(dir.path());
        (dir, chain, key)
    };
    let server = files(&authority.leaf("127.0.0.1"));
    let ours = files(&authority.leaf("tenant-service"));
    let theirs = files(&stranger.leaf("tenant-service"));
    let settings = [
        "store.mode=memory".to_owned(),
        "store.durability=none".to_owned(),
        format!("listen.public.certificate_file={}", server.1.display()),
        format!("listen.public.key_file={}", server.2.display()),
        format!("listen.internal.certificate_file={}", server.1.display()),
        format!("listen.internal.key_file={}", server.2.display()),
        format!("listen.internal.client_ca_file={}", authority.file.display()),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut nexus = Nexus::start(&settings);
    let admin = nexus.address("admin");
    nexus.ready(admin);
    let (public, internal) = (nexus.address("public"), nexus.address("internal"));

    let known = client(&authority, Some((&ours.1, &ours.2)));
    assert_eq!(ask(&known, internal), Some(401), "in, and asked for a key");
    assert_eq!(ask(&client(&authority, None), internal), None);
    assert_eq!(
        ask(&client(&authority, Some((&theirs.1, &theirs.2))), internal),
        None
    );

    // A session of the public listener must not be resumed here in place of a certificate.
    let resuming = client(&authority, None);
    assert_eq!(ask(&resuming, public), Some(401));
    assert_eq!(ask(&resuming, public), Some(401));
    assert_eq!(ask(&resuming, internal), None);
}
