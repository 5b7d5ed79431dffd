//! Connection 6: a batch of a hundred messages read and judged, and a status written for its consumer.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nexus::model::{DeliveryStatus, Media, Millis, RecordStatus};
use nexus::protocol::campaign::{BatchRequest, record_status};

const MESSAGES: u64 = 100;

fn campaign(criterion: &mut Criterion) {
    let messages: Vec<String> = (0..MESSAGES)
        .map(|n| {
            format!(
                r#"{{"recordHandle":"{}","to":"+1202555{n:04}","text":"Your order has shipped and arrives tomorrow"}}"#,
                9_000 + n
            )
        })
        .collect();
    let body = format!(
        r#"{{"data":{{"batchId":"b-17","media":"sms","messages":[{}]}}}}"#,
        messages.join(",")
    );
    let mut group = criterion.benchmark_group("campaign");
    group.throughput(Throughput::Elements(MESSAGES));
    group.bench_function("batch in", |bencher| {
        bencher.iter(|| {
            let batch = BatchRequest::parse(black_box(body.as_bytes()));
            batch.map(|batch| (batch.fingerprint(), batch.refusals()))
        });
    });
    let told = RecordStatus {
        campaign: "spring".to_owned(),
        batch: "b-17".to_owned(),
        record: "9001".to_owned(),
        media: Media::Sms,
        test: false,
        status: DeliveryStatus::Delivered,
        code: None,
        detail: None,
    };
    group.throughput(Throughput::Elements(1));
    group.bench_function("status out", |bencher| {
        bencher.iter(|| record_status(black_box(42), Millis(1_700_000_000_000), black_box(&told)));
    });
    group.finish();
}

criterion_group!(benches, campaign);
criterion_main!(benches);
