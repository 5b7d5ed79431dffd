//! What history costs: the canonical transcript of a long chat, and the requests that carry it.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nexus::model::{LogId, Media, Millis, Role, TenantId};
use nexus::protocol::ucs::{Contact, Ending, Line, Site, Speaker, Transcript, dialect};
use serde_json::{Map, Value};
use uuid::Uuid;

const LINES: u64 = 200;

fn transcript() -> Transcript {
    let line = |n: u64| Line {
        n,
        time: Millis(1_768_471_200_000 + n * 1_000),
        kind: "Text",
        from: Some(Speaker {
            role: if n.is_multiple_of(2) {
                Role::Customer
            } else {
                Role::Agent
            },
            name: "Ann".to_owned(),
            agent_id: None,
        }),
        audience: None,
        text: Some("It has not arrived yet, and I ordered it \"last week\". Grüße".to_owned()),
        file: None,
    };
    Transcript {
        interaction_id: LogId::from_bytes([1; 16]),
        up_to: LINES,
        complete: true,
        lines: (0..LINES).map(line).collect(),
    }
}

fn history(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("outbound/ucs");
    let transcript = transcript();
    let site = Site {
        base: "http://ucsx.example:8080",
        ccid: TenantId(Uuid::nil()),
        sid: "t100",
        bearer: None,
    };
    let ending = Ending {
        id: transcript.interaction_id,
        ended: Millis(1_768_471_500_000),
        disposition: Some("sold"),
        comment: None,
        transcript: &transcript,
    };
    let length = transcript.canonical().len() as u64;
    group.throughput(Throughput::Bytes(length));
    group.bench_function("transcript", |bencher| bencher.iter(|| transcript.canonical()));
    for name in ["ucsx", "classic"] {
        let dialect = dialect(Some(name));
        group.throughput(Throughput::Bytes(length));
        group.bench_function(format!("stop/{name}"), |bencher| {
            bencher.iter(|| dialect.stop(&site, &ending));
        });
        let mut profile = Map::new();
        profile.insert("email".to_owned(), Value::from("ann@example.com"));
        let contact = Contact::of(Media::Chat, &profile);
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("identify/{name}"), |bencher| {
            bencher.iter(|| dialect.identify(&site, transcript.interaction_id, Media::Chat, &contact));
        });
    }
    group.finish();
}

criterion_group!(benches, history);
criterion_main!(benches);
