//! Files that the nodes of a cluster share.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use nexus::log::media::{Media, MediaError, PostgresMedia};
use nexus::model::{MediaId, Millis, TenantId};
use nexus::postgres::{Database, PostgresSettings};
use nexus::provisioning::PostgresStore;
use secrecy::SecretString;
use uuid::Uuid;

use super::cluster::Cluster;
use crate::net_server::on_a_core;
use crate::outward::keeping::Customer;
use crate::support::part::eventually;
use crate::support::postgres::Postgres;
use crate::support::process::request;
use crate::support::whole::Whole;

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const OTHER: TenantId = TenantId(Uuid::from_u128(2));
const ID: MediaId = MediaId(Uuid::from_u128(7));

async fn put(media: &dyn Media, bytes: &[u8]) {
    let mut writer = media.write(TENANT, ID).await.unwrap();
    for piece in bytes.chunks(70_000) {
        writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    writer.finish().await.unwrap();
}

async fn whole(media: &dyn Media, tenant: TenantId) -> Option<Vec<u8>> {
    let reader = media.read(tenant, ID).await.unwrap()?;
    let length = reader.length;
    let pieces: Vec<Bytes> = reader.pieces.try_collect().await.unwrap();
    // A file of any size is held a piece at a time.
    assert!(pieces.iter().all(|piece| piece.len() <= 128 * 1_024));
    let bytes = pieces.concat();
    assert_eq!(length, bytes.len() as u64);
    Some(bytes)
}

#[test]
fn a_file_in_the_database_comes_back_as_it_went_in_and_only_to_its_tenant() {
    let postgres = Postgres::start();
    on_a_core(async {
        let settings = PostgresSettings::new(SecretString::from(postgres.url()));
        PostgresStore::migrate(&settings).await.unwrap();
        let node = || PostgresMedia::new(Database::new(&settings, 2).unwrap(), 1);
        let (one, other) = (node(), node());
        let bytes: Vec<u8> = (0..250_000_u32).flat_map(u32::to_le_bytes).collect();
        put(&*one, &bytes).await;
        assert_eq!(whole(&*other, TENANT).await, Some(bytes));
        assert_eq!(whole(&*other, OTHER).await, None);
        other.remove(OTHER, ID).await.unwrap();

        // Another under the same id takes its place; one that is not finished leaves nothing, and is no obstacle.
        put(&*other, b"short").await;
        assert_eq!(whole(&*one, TENANT).await.as_deref(), Some(&b"short"[..]));
        let mut half = one.write(TENANT, ID).await.unwrap();
        half.write(Bytes::from(vec![1; 300_000])).await.unwrap();
        let refused = one.write(TENANT, MediaId(Uuid::from_u128(8))).await;
        assert!(matches!(refused.err(), Some(MediaError::Busy)));
        drop(half);
        assert_eq!(whole(&*one, TENANT).await.as_deref(), Some(&b"short"[..]));
        let pieces = || {
            postgres
                .sql("SELECT count(*) FROM nex_media_pieces")
                .trim()
                .to_owned()
        };
        while pieces() != "1" {
            tokio::task::yield_now().await;
        }

        // What is too old is forgotten, and forgetting twice is done.
        assert_eq!(one.forget(TENANT, Millis(1_000), 9).await.unwrap(), 0);
        assert_eq!(one.forget(OTHER, Millis(4_000_000_000_000), 9).await.unwrap(), 0);
        assert_eq!(one.forget(TENANT, Millis(4_000_000_000_000), 9).await.unwrap(), 1);
        for _ in 0..2 {
            one.remove(TENANT, ID).await.unwrap();
        }
        assert_eq!((whole(&*other, TENANT).await, pieces()), (None, "0".to_owned()));
    });
}

#[test]
fn a_file_that_was_sent_to_one_node_is_fetched_from_another() {
    let cluster = Cluster::start();
    let start = |name: &str| {
        let settings = cluster.node(name);
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        Whole::start(&settings)
    };
    let (one, other) = (start("one"), start("other"));
    let ann = Customer::open(&one, "data[nickname]=Ann");
    ann.shows("a.txt", b"the words of a file");
    let ask = |path: &str| {
        request(
            other.addr,
            &format!(
                "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nx-api-key: {}\r\n\
                 x-nexus-client-key: {}\r\n\r\n",
                Customer::KEY,
                ann.token
            ),
        )
    };
    // Its number in the chat is not told for long.
    let mut answers = Vec::new();
    eventually("the file", std::time::Duration::from_secs(20), || {
        let session = &ann.session;
        answers = (1..12)
            .map(|n| ask(&format!("/nexus/v3/chat/sessions/{session}/images/{n}")))
            .filter(|(status, _)| *status == 200)
            .collect();
        !answers.is_empty()
    });
    assert_eq!(answers, [(200, "the words of a file".to_owned())]);
}
