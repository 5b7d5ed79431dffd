//! Reading, trimming, erasing.

use nexus::log::{Basis, StoredBody, StoredRecord};
use nexus::model::Position;

use super::Harness;
use super::given::*;

const NONE: [u64; 0] = [];

pub(crate) async fn there_is_nothing_to_read_of_a_log_that_is_not_there(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    assert_eq!(log.tail(id).await.unwrap(), None);
    assert_eq!(log.read_forward(id, 1, 10).await.unwrap(), None);
    assert_eq!(log.read_backward(id, 10, 10).await.unwrap(), None);
    log.erase(id, vec![1]).await.unwrap();
    log.trim(id, 5).await.unwrap();
}

pub(crate) async fn a_tail_begins_at_the_last_snapshot(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let top = opened(&*log, id, 3).await;
    let records = vec![snapshot("s4"), record("5"), snapshot("s6"), record("7")];
    written(&*log, append(id, Basis::Decided(top), records)).await;
    let tail = tail(&*log, id).await;
    assert_eq!(tail.base.n, 5);
    assert_eq!(numbers(&tail.records), [6, 7]);
    assert_eq!(text(&tail.records[0]), "s6");
}

pub(crate) async fn a_page_forward_begins_where_asked(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let top = opened(&*log, id, 9).await;
    let page = async |from, limit| {
        let page = log.read_forward(id, from, limit).await.unwrap().unwrap();
        assert_eq!((page.oldest, page.top), (1, top));
        numbers(&page.records)
    };
    assert_eq!(page(1, 4).await, [1, 2, 3, 4]);
    assert_eq!(page(0, 2).await, [1, 2]);
    assert_eq!(page(8, 100).await, [8, 9]);
    assert_eq!(page(9, 1).await, [9]);
    assert_eq!(page(10, 5).await, NONE);
    assert_eq!(page(u64::MAX, 5).await, NONE);
    assert_eq!(page(3, 0).await, NONE);
}

pub(crate) async fn a_page_backward_ends_where_asked(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let top = opened(&*log, id, 9).await;
    let page = async |to, limit| {
        let page = log.read_backward(id, to, limit).await.unwrap().unwrap();
        assert_eq!((page.oldest, page.top), (1, top));
        numbers(&page.records)
    };
    assert_eq!(page(9, 4).await, [6, 7, 8, 9]);
    assert_eq!(page(u64::MAX, 2).await, [8, 9]);
    assert_eq!(page(2, 100).await, [1, 2]);
    assert_eq!(page(1, 1).await, [1]);
    assert_eq!(page(0, 5).await, NONE);
    assert_eq!(page(5, 0).await, NONE);
}

pub(crate) async fn trimming_forgets_what_is_below(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let top = opened(&*log, id, 6).await;
    let records = vec![snapshot("s7"), record("8")];
    let (_, top) = written(&*log, append(id, Basis::Decided(top), records)).await;
    log.trim(id, 4).await.unwrap();
    let page = log.read_forward(id, 1, 100).await.unwrap().unwrap();
    assert_eq!((page.oldest, page.top), (4, top));
    assert_eq!(numbers(&page.records), [4, 5, 6, 7, 8]);
    let back = log.read_backward(id, 5, 100).await.unwrap().unwrap();
    assert_eq!(numbers(&back.records), [4, 5]);
    assert_eq!(
        numbers(&log.read_backward(id, 3, 9).await.unwrap().unwrap().records),
        NONE
    );
    log.trim(id, 2).await.unwrap();
    assert_eq!(log.read_forward(id, 1, 1).await.unwrap().unwrap().oldest, 4);
    assert_eq!(written(&*log, decided(id, top, "9")).await.0, 9);
}

pub(crate) async fn trimming_spares_the_last_snapshot(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let top = opened(&*log, id, 3).await;
    log.trim(id, 3).await.unwrap();
    assert_eq!(
        numbers(&tail(&*log, id).await.records),
        [1, 2, 3],
        "without a snapshot all is needed"
    );
    let records = vec![snapshot("s4"), record("5")];
    let (_, top) = written(&*log, append(id, Basis::Decided(top), records)).await;
    log.trim(id, u64::MAX).await.unwrap();
    let tail = tail(&*log, id).await;
    assert_eq!((tail.base.n, numbers(&tail.records)), (3, vec![4, 5]));
    assert_eq!(
        log.tops(partition(&*log, id), vec![id]).await.unwrap(),
        [Some(top)]
    );
    let page = log.read_forward(id, 1, 9).await.unwrap().unwrap();
    assert_eq!((page.oldest, numbers(&page.records)), (4, vec![4, 5]));
}

pub(crate) async fn erasing_takes_bodies_and_keeps_the_chain(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let records = vec![with_body("1", "secret"), record("2"), with_body("3", "kept")];
    let start = append(id, Basis::Decided(Position::default()), records);
    let (_, top) = written(&*log, start).await;
    log.erase(id, vec![1, 2, 99]).await.unwrap();
    let tail = tail(&*h.other_node(), id).await;
    let bodies: Vec<_> = tail.records.iter().map(|record| record.body.clone()).collect();
    let kept = StoredBody::Present("kept".into());
    assert_eq!(bodies, [StoredBody::Erased, StoredBody::None, kept]);
    assert_eq!(tail.records[2].position(), top);
    log.erase(id, vec![1]).await.unwrap();
    assert_eq!(written(&*log, decided(id, top, "4")).await.0, 4);
}

pub(crate) async fn tops_come_in_the_order_asked(h: &impl Harness) {
    let (log, one) = (h.core(), session(h));
    let (two, none) = (beside(h, one), beside(h, one));
    let top_one = opened(&*log, one, 1).await;
    let top_two = opened(&*log, two, 2).await;
    let partition = partition(&*log, one);
    let tops = log.tops(partition, vec![two, none, one, two]).await.unwrap();
    assert_eq!(tops, [Some(top_two), None, Some(top_one), Some(top_two)]);
    assert_eq!(log.tops(partition, Vec::new()).await.unwrap(), []);
    let elsewhere = (partition + 1) % log.info().partitions;
    assert_eq!(log.tops(elsewhere, vec![one]).await.unwrap(), [None]);
}

/// Longer than any stretch in which a store may keep records together.
pub(crate) async fn a_long_log_reads_trims_and_erases_like_a_short_one(h: &impl Harness) {
    let (log, id) = (h.core(), session(h));
    let mut top = Position::default();
    for begin in (1..=320_u64).step_by(32) {
        let mut records: Vec<_> = (begin..begin + 32)
            .map(|n| with_body(&n.to_string(), "body"))
            .collect();
        records[20].snapshot = true;
        (_, top) = written(&*log, append(id, Basis::Decided(top), records)).await;
    }
    let page = async |from, limit| {
        let page = log.read_forward(id, from, limit).await.unwrap().unwrap();
        numbers(&page.records)
    };
    assert_eq!(page(1, 1_000).await, (1..=320).collect::<Vec<_>>());
    assert_eq!(page(60, 10).await, (60..=69).collect::<Vec<_>>());
    assert_eq!(page(64, 1).await, [64]);
    assert_eq!(page(65, 64).await, (65..=128).collect::<Vec<_>>());
    let back = log.read_backward(id, 130, 70).await.unwrap().unwrap();
    assert_eq!(numbers(&back.records), (61..=130).collect::<Vec<_>>());
    assert_eq!(
        numbers(&tail(&*log, id).await.records),
        (309..=320).collect::<Vec<_>>()
    );
    log.erase(id, vec![64, 65, 200]).await.unwrap();
    let erased = log.read_forward(id, 64, 2).await.unwrap().unwrap();
    assert!(
        erased
            .records
            .iter()
            .all(|record| record.body == StoredBody::Erased)
    );
    for below in [63, 64, 65, 66, 129, 200] {
        log.trim(id, below).await.unwrap();
        let rest = log.read_forward(id, 1, 1_000).await.unwrap().unwrap();
        assert_eq!(rest.oldest, below);
        assert_eq!(numbers(&rest.records), (below..=320).collect::<Vec<_>>());
        verified_from_first(&rest.records);
    }
    assert_eq!(written(&*log, decided(id, top, "321")).await.0, 321);
}

fn verified_from_first(records: &[StoredRecord]) {
    let (first, rest) = records.split_first().unwrap();
    verified(first.position(), rest);
}
