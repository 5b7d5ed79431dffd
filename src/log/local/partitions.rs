//! How many partitions a store may have.

use crate::log::error::LogError;

/// A power of two of at most 4096, since a partition is some of the last twelve bits of an id.
///
/// # Errors
/// [`LogError::OutOfBounds`] for any other count.
pub fn check_partitions(count: u16) -> Result<(), LogError> {
    if count.is_power_of_two() && count <= 4096 {
        return Ok(());
    }
    Err(LogError::OutOfBounds {
        reason: format!("{count} partitions, expected a power of two of at most 4096"),
    })
}
