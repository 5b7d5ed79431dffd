//! The counts of all channels of one core, each made when it is first needed.

use std::collections::HashMap;

use super::velocity::{Caps, TooFast, Velocity};
use crate::model::Millis;

/// Channels counted at once; beyond them the counts begin anew.
const CHANNELS: usize = 4_096;
/// Numbers remembered for one channel.
const NUMBERS: usize = 65_536;

/// How much has passed lately, by channel.
#[derive(Debug, Default)]
pub struct Gates {
    channels: HashMap<String, Velocity>,
}

impl Gates {
    /// Counts one message of a number by a channel, or says how long to wait. Other caps than before begin anew.
    ///
    /// # Errors
    /// [`TooFast`]; then nothing is counted.
    pub fn pass(&mut self, channel: &str, caps: Caps, number: &str, now: Millis) -> Result<(), TooFast> {
        if caps == Caps::default() {
            return Ok(());
        }
        match self.channels.get_mut(channel) {
            Some(known) if known.caps() == caps => known.admit(number, now),
            _ => {
                if self.channels.len() >= CHANNELS {
                    self.channels.clear();
                }
                let fresh = Velocity::new(caps, NUMBERS);
                let fresh = self.channels.entry(channel.to_owned()).insert_entry(fresh);
                fresh.into_mut().admit(number, now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::velocity::Cap;
    use super::*;

    #[test]
    fn channels_are_counted_apart_and_new_caps_begin_anew() {
        let caps = |most| Caps {
            per_number: Some(Cap { most, within: 60_000 }),
            per_channel: None,
        };
        let (mut gates, now) = (Gates::default(), Millis(1_000));
        assert!(gates.pass("a", caps(1), "+1", now).is_ok());
        assert!(gates.pass("a", caps(1), "+1", now).is_err());
        assert!(gates.pass("b", caps(1), "+1", now).is_ok());
        assert!(gates.pass("a", caps(2), "+1", now).is_ok());
        assert!(gates.pass("a", Caps::default(), "+1", now).is_ok());
    }
}
