//! Secure e-mail: a portal's body in, a page gathered from a mailbox's entries and written out, an entry encoded for the log.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nexus::model::{Body, LogId, MailAuthor, MailEvent, Millis, Record};
use nexus::protocol::body::{JsonDecoder, Limits};
use nexus::protocol::entry;
use nexus::protocol::envelope::{CallIds, Dialect, success};
use nexus::protocol::securemail::{Compose, Listing, Mail, Query, listed};

const NOW: u64 = 1_700_000_000_000;

fn mail(n: u64) -> Mail {
    Mail {
        session: LogId::from_bytes([u8::try_from(n % 251).unwrap_or_default(); 16]),
        n,
        conversation: "0191f5e0-7c1a-7b2c-8d3e-4f5a6b7c8d9e".to_owned(),
        author: if n.is_multiple_of(2) {
            MailAuthor::Centre
        } else {
            MailAuthor::Customer
        },
        from: "Alice Archer".to_owned(),
        subject: "Re: My card was swallowed".to_owned(),
        files: 1,
        at: Millis(NOW + n),
    }
}

fn mailbox(mails: u64) -> Vec<Record<MailEvent>> {
    let read = |n: u64| Record {
        at: Millis(NOW + mails),
        cause: None,
        event: MailEvent::Read {
            session: mail(n).session,
            n,
        },
        body: Body::None,
    };
    let mut entries: Vec<_> = (1..=mails).map(|n| mail(n).entry()).collect();
    entries.extend((1..mails / 2).map(|n| read(n * 2)));
    entries
}

fn write(criterion: &mut Criterion) {
    let body = serde_json::json!({"operationId": "op-1", "data": {
        "address": "ann@mail.example", "securebox": "private1", "name": "Ann Lee", "subject": "My card",
        "text": "Guten Tag, meine Karte wurde eingezogen.\n".repeat(20),
        "attachments": [{"id": "0191f5e0-7c1a-4b2c-8d3e-4f5a6b7c8d9e", "name": "a.pdf"}],
    }})
    .to_string();
    let mut group = criterion.benchmark_group("securemail/write");
    group.throughput(Throughput::Bytes(body.len() as u64));
    let mut decoder = JsonDecoder::new(Limits::default());
    group.bench_function("decode", |bencher| {
        bencher.iter_batched(
            || BytesMut::from(body.as_bytes()),
            |body| {
                decoder
                    .decode(body)
                    .map(|fields| black_box(Compose::read(&fields)))
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("entry", |bencher| {
        let mail = mail(4);
        bencher.iter(|| black_box(entry::encode(&mail.entry())));
    });
    group.finish();
}

fn list(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("securemail/list");
    for mails in [20, 1_000] {
        let entries = mailbox(mails);
        let parameters = Query::parameters(Some("address=ann%40mail.example&status=all&count=10"));
        let Ok(query) = parameters.and_then(|parameters| Query::read(&parameters)) else {
            continue;
        };
        group.bench_function(format!("page_of_{mails}"), |bencher| {
            bencher.iter(|| {
                let mut listing = Listing::new(&query, Millis(0));
                let _ = entries.iter().rev().all(|entry| listing.take(entry));
                let page = listing.finish();
                black_box(success(Dialect::Chat, &CallIds::default(), &listed(0, &page)))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, write, list);
criterion_main!(benches);
