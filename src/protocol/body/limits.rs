//! How much structure one body may have.

/// Bounds of one body; its size in bytes is bounded before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Objects and arrays inside one another, the outermost included.
    pub depth: usize,
    /// Keys and array elements in all.
    pub keys: usize,
    /// Bytes of one string, decoded.
    pub string: usize,
    /// Characters of one number.
    pub number: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 32,
            keys: 1_000,
            string: 32 * 1_024,
            number: 32,
        }
    }
}
