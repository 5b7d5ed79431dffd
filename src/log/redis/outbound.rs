//! Dead letters, references and opt-outs over the functions.

use bytes::{Buf as _, Bytes, BytesMut};
use fred::interfaces::Resp3Frame;
use fred::types::Value;
use futures_util::FutureExt as _;
use futures_util::future::try_join_all;

use crate::log::append::PeerKey;
use crate::log::bounds::{
    MAX_DEAD_PAGE, MAX_REFERENCE_MS, check_burial, check_peer, check_reference, dead_share,
};
use crate::log::effects::EffectId;
use crate::log::error::LogError;
use crate::log::local::dropped;
use crate::log::outbound::{DeadEffect, Outbound, Referred};
use crate::log::store::LogFuture;
use crate::model::{Millis, Spread, TenantId};

use super::encode;
use super::error::damaged;
use super::handle::{RedisCore, lane, number};
use super::reply::Items;

impl RedisCore {
    async fn said(&self, function: &'static str, partition: u16, args: Vec<Value>) -> Result<bool, LogError> {
        let frame = self.write(function, partition, args).await?;
        Ok(number(&frame, function)? == 1)
    }

    fn of_reference(&self, key: &Bytes) -> u16 {
        Spread::of(&[key]).partition(self.info.partitions)
    }
}

impl Outbound for RedisCore {
    fn bury_effect(&self, id: EffectId, lane: String, tenant: TenantId, reason: String) -> LogFuture<'_, ()> {
        async move {
            check_burial(&lane, &reason)?;
            let args = vec![
                self::lane(id, &lane),
                encode::effect(id.n, id.place),
                encode::text(tenant.to_string()),
                encode::text(reason),
                encode::number(dead_share(self.info.partitions) as u64),
            ];
            let frame = self.write("nexus_3_bury", self.of(id.log), args).await?;
            dropped(number(&frame, "bury")?);
            Ok(())
        }
        .boxed_local()
    }

    fn dead_effects(
        &self,
        partition: u16,
        tenant: TenantId,
        after: Option<EffectId>,
        limit: usize,
    ) -> LogFuture<'_, Vec<DeadEffect>> {
        async move {
            let args = vec![
                encode::text(tenant.to_string()),
                after.map_or_else(|| encode::text(String::new()), dead_id),
                encode::number(limit.min(MAX_DEAD_PAGE) as u64),
            ];
            let mut items = Items::of(self.read("nexus_3_dead", partition, args).await?, "dead")?;
            let mut page = Vec::new();
            while !items.is_empty() {
                page.push(dead(items.raw()?, items.copied()?).ok_or_else(|| damaged("dead"))?);
            }
            Ok(page)
        }
        .boxed_local()
    }

    fn dead_count(&self, tenant: TenantId) -> LogFuture<'_, u64> {
        async move {
            let counts = (0..self.info.partitions).map(|partition| async move {
                let args = vec![encode::text(tenant.to_string())];
                number(
                    &self.read("nexus_3_dead_count", partition, args).await?,
                    "dead_count",
                )
            });
            Ok(try_join_all(counts).await?.into_iter().sum())
        }
        .boxed_local()
    }

    fn replay_effect(&self, partition: u16, tenant: TenantId, id: EffectId) -> LogFuture<'_, bool> {
        async move {
            let args = vec![encode::text(tenant.to_string()), dead_id(id)];
            Ok(self.of(id.log) == partition && self.said("nexus_3_replay", partition, args).await?)
        }
        .boxed_local()
    }

    fn discard_dead(&self, partition: u16, tenant: TenantId, id: EffectId) -> LogFuture<'_, bool> {
        async move {
            let args = vec![encode::text(tenant.to_string()), dead_id(id)];
            Ok(self.of(id.log) == partition && self.said("nexus_3_discard", partition, args).await?)
        }
        .boxed_local()
    }

    fn lane_backlog(&self, partition: u16) -> LogFuture<'_, u64> {
        async move {
            number(
                &self.read("nexus_3_backlog", partition, Vec::new()).await?,
                "backlog",
            )
        }
        .boxed_local()
    }

    fn refer(&self, key: Bytes, at: Referred, ttl_ms: u64) -> LogFuture<'_, ()> {
        async move {
            check_reference(&key)?;
            let partition = self.of_reference(&key);
            let args = vec![
                Value::Bytes(key),
                encode::log(at.log),
                encode::number(at.n),
                encode::duration(ttl_ms.clamp(1, MAX_REFERENCE_MS)),
            ];
            self.write("nexus_3_refer", partition, args).await.map(drop)
        }
        .boxed_local()
    }

    fn referred(&self, key: Bytes) -> LogFuture<'_, Option<Referred>> {
        async move {
            check_reference(&key)?;
            let partition = self.of_reference(&key);
            let args = vec![Value::Bytes(key)];
            match self.read("nexus_3_referred", partition, args).await? {
                Resp3Frame::Null => Ok(None),
                Resp3Frame::BlobString { data, .. } => {
                    referred(&data).map(Some).ok_or_else(|| damaged("referred"))
                }
                _ => Err(damaged("referred")),
            }
        }
        .boxed_local()
    }

    fn opted_out(&self, partition: u16, peer: PeerKey) -> LogFuture<'_, bool> {
        async move {
            let args = vec![Value::Bytes(peer.0)];
            let frame = self.read("nexus_3_opted", partition, args).await?;
            Ok(number(&frame, "opted")? == 1)
        }
        .boxed_local()
    }

    fn set_opt_out(&self, partition: u16, peer: PeerKey, out: bool) -> LogFuture<'_, ()> {
        async move {
            check_peer(&peer)?;
            let args = vec![Value::Bytes(peer.0), encode::number(out.into())];
            self.write("nexus_3_opt", partition, args).await.map(drop)
        }
        .boxed_local()
    }
}

/// An effect's id as the dead letters are named; `lua/dead.lua` says the same.
fn dead_id(id: EffectId) -> Value {
    let mut name = BytesMut::with_capacity(46);
    name.extend_from_slice(id.log.to_string().as_bytes());
    name.extend_from_slice(&id.n.to_be_bytes());
    name.extend_from_slice(&id.place.to_be_bytes());
    Value::Bytes(name.freeze())
}

/// A dead letter from its name and what is stored; `None` for what is none.
fn dead(mut name: Bytes, mut stored: Bytes) -> Option<DeadEffect> {
    if name.len() != 46 || stored.len() < 16 {
        return None;
    }
    let log = std::str::from_utf8(&name.split_to(36)).ok()?.parse().ok()?;
    let id = EffectId {
        log,
        n: name.get_u64(),
        place: name.get_u16(),
    };
    let (at, attempts) = (Millis(stored.get_u64()), stored.get_u32());
    let lengths = [stored.get_u16(), stored.get_u16()].map(usize::from);
    if stored.len() < lengths[0] + lengths[1] {
        return None;
    }
    let [lane, reason] = lengths.map(|length| String::from_utf8(stored.split_to(length).to_vec()).ok());
    Some(DeadEffect {
        id,
        lane: lane?,
        payload: stored,
        reason: reason?,
        at,
        attempts,
    })
}

fn referred(stored: &[u8]) -> Option<Referred> {
    let (log, n) = std::str::from_utf8(stored).ok()?.split_at_checked(36)?;
    Some(Referred {
        log: log.parse().ok()?,
        n: n.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LogId;
    use proptest::prelude::*;

    #[test]
    fn a_dead_letter_is_read_as_the_function_writes_it() {
        let id = EffectId {
            log: LogId::session(Millis(5), [3; 10], Spread::of(&[b"x"])),
            n: 3,
            place: 1,
        };
        let Value::Bytes(name) = dead_id(id) else {
            panic!("a name is bytes");
        };
        let stored = [
            &9_u64.to_be_bytes()[..],
            &2_u32.to_be_bytes(),
            &4_u16.to_be_bytes(),
            &3_u16.to_be_bytes(),
            b"lanewhypayload",
        ];
        let expected = DeadEffect {
            id,
            lane: "lane".to_owned(),
            payload: Bytes::from_static(b"payload"),
            reason: "why".to_owned(),
            at: Millis(9),
            attempts: 2,
        };
        assert_eq!(dead(name, stored.concat().into()), Some(expected));
    }

    proptest! {
        #[test]
        fn nothing_stored_ends_the_process(
            name in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                prop::collection::vec(any::<u8>(), 10)
                    .prop_map(|rest| [b"01890000-0000-7000-8000-000000000000", &rest[..]].concat()),
            ],
            stored in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = referred(&stored);
            let _ = dead(name.into(), stored.into());
        }
    }
}
