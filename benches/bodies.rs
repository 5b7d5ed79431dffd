//! A message in, from either encoding, beside what serde_json makes of the same JSON.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nexus::protocol::body::{JsonDecoder, Limits, decode_form};
use nexus::protocol::widget::SendMessage;
use serde::Deserialize;

const FORM: &[u8] = b"operationId=ca6c005844-9bceb-a97ef-344c2-84b99f010666dbc&data%5Btype%5D=Text\
    &data%5Btext%5D=Hello%2C+I+have+a+question+about+my+order+from+last+week%3A+it+has+not+arrived+yet.+Gr%C3%BC%C3%9Fe";
const JSON: &[u8] = br#"{"operationId":"ca6c005844-9bceb-a97ef-344c2-84b99f010666dbc","data":{"type":"Text","text":"Hello, I have a question about my order from last week: it has not arrived yet. Gr\u00fc\u00dfe"}}"#;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "operationId", borrow)]
    operation: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    text: std::borrow::Cow<'a, str>,
}

fn bodies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("body/message");
    let limits = Limits::default();
    group.throughput(Throughput::Bytes(FORM.len() as u64));
    group.bench_function("form", |bencher| {
        bencher.iter_batched(
            || BytesMut::from(FORM),
            |body| SendMessage::read(&decode_form(body, &limits).unwrap_or_default()),
            BatchSize::SmallInput,
        );
    });
    group.throughput(Throughput::Bytes(JSON.len() as u64));
    let mut decoder = JsonDecoder::new(limits);
    group.bench_function("json", |bencher| {
        bencher.iter_batched(
            || BytesMut::from(JSON),
            |body| SendMessage::read(&decoder.decode(body).unwrap_or_default()),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("json/serde_json_borrowed", |bencher| {
        bencher.iter_batched(
            || Bytes::from_static(JSON),
            |body| {
                let message: Message<'_> = serde_json::from_slice(&body).unwrap_or(Message {
                    operation: "".into(),
                    data: Data {
                        kind: "".into(),
                        text: "".into(),
                    },
                });
                // What has to leave the body is copied, as the machine keeps it.
                black_box((
                    message.operation.len(),
                    message.data.kind.len(),
                    Bytes::copy_from_slice(message.data.text.as_bytes()),
                ))
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, bodies);
criterion_main!(benches);
