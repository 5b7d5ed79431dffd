//! Plain data: ids, records, effects. No I/O, no clock, no randomness.
