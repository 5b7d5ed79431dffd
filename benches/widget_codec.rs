//! A record out as a chat v3 message, and the answer of a poll put together from encoded messages.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nexus::model::{
    Body, MessageId, MessageKind, Millis, ParticipantId, Record, Role, SessionEvent, Visibility,
};
use nexus::protocol::envelope::CallIds;
use nexus::protocol::widget::{Bases, Cast, Index, Speaker, message, messages};
use uuid::Uuid;

struct Bob;

impl Cast for Bob {
    fn speaker(&self, _: ParticipantId) -> Option<Speaker<'_>> {
        Some(Speaker {
            role: Role::Agent,
            nickname: "Bob",
        })
    }
}

fn record() -> Record<SessionEvent> {
    Record {
        at: Millis(1_732_345_678_901),
        cause: None,
        event: SessionEvent::Message {
            id: MessageId(Uuid::nil()),
            from: Some(ParticipantId(Uuid::from_u128(7))),
            kind: MessageKind::Text,
            visibility: Visibility::All,
        },
        body: Body::text(
            "Thank you, I have found your order. It left our house on Monday, one moment please.",
        ),
    }
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("widget");
    let (record, bases) = (record(), Bases::default());
    group.bench_function("encode/text", |bencher| {
        bencher.iter(|| message(Index::record(7, &bases), &record, &Bob));
    });
    let line = message(Index::record(7, &bases), &record, &Bob).unwrap_or_default();
    let ids = CallIds {
        reference: "0123456789abcdef-1",
        operation: Some("ca6c005844-9bceb-a97ef-344c2-84b99f010666dbc"),
    };
    for count in [1, 16, 256] {
        let lines: Vec<Bytes> = vec![line.clone(); count];
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("answer/{count}"), |bencher| {
            bencher.iter(|| messages(&ids, lines.iter(), false));
        });
    }
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
