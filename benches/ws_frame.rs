//! WebSocket frames: decoding what a client sends, encoding what all clients get.
//!
//! Ids: `ws/decode/<bytes>`, `ws/decode_split/<bytes>` (each frame in two reads), `ws/encode/<bytes>`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench may end at the first surprise"
)]

use std::hint::black_box;
use std::time::Instant;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nexus::net::websocket::frame::encode_masked;
use nexus::net::websocket::reader::Reader;
use nexus::net::websocket::{MessageLimits, encode_text};

const SIZES: [usize; 2] = [100, 4096];
const FRAMES: usize = 64;

fn burst(size: usize) -> Vec<u8> {
    encode_masked(0x81, [0x37, 0xfa, 0x21, 0x3d], &vec![b'x'; size]).repeat(FRAMES)
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ws");
    let (limits, now) = (MessageLimits::default(), Instant::now());
    for size in SIZES {
        let bytes = burst(size);
        group.throughput(Throughput::Elements(FRAMES as u64));
        for (name, piece) in [
            ("decode", bytes.len()),
            ("decode_split", bytes.len() / FRAMES / 2 + 1),
        ] {
            group.bench_with_input(BenchmarkId::new(name, size), &bytes, |bencher, bytes| {
                let mut reader = Reader::new(false);
                bencher.iter_batched_ref(
                    || (bytes.clone(), Vec::with_capacity(FRAMES)),
                    |(bytes, out)| {
                        for piece in bytes.chunks_mut(piece) {
                            reader.feed(piece, now, &limits, out).unwrap();
                        }
                        assert_eq!(out.len(), FRAMES);
                    },
                    BatchSize::LargeInput,
                );
            });
        }
    }
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ws");
    for size in SIZES {
        let text = vec![b'x'; size];
        group.throughput(Throughput::Elements(1));
        group.bench_with_input(BenchmarkId::new("encode", size), &text, |bencher, text| {
            bencher.iter(|| encode_text(black_box(text)));
        });
    }
    group.finish();
}

criterion_group!(benches, decode, encode);
criterion_main!(benches);
