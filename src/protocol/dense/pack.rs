//! Packing: what repeats within a block takes less. Deflate, because it is small, quick and here already.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use serde::de::Error as _;

use super::Unfit;

/// Packs one block after another, each on its own. Large: one a core.
pub struct Packer(Compress);

impl Default for Packer {
    fn default() -> Self {
        Self(Compress::new(Compression::default(), false))
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    /// The block in fewer bytes; `None` where it would not be fewer.
    pub fn pack(&mut self, block: &[u8]) -> Option<Vec<u8>> {
        let mut packed = Vec::with_capacity(block.len());
        let status = self.0.compress_vec(block, &mut packed, FlushCompress::Finish);
        // Now, not before the next one: nothing of the block stays in here.
        self.0.reset();
        // With no more room than it had before, it does not come to an end.
        matches!(status, Ok(Status::StreamEnd)).then_some(packed)
    }
}

/// The block of `length` bytes that was packed.
///
/// # Errors
/// [`Unfit`]: it is none, or another length.
pub fn unpack(packed: &[u8], length: usize) -> Result<Vec<u8>, Unfit> {
    // No block can be packed tighter than this: a length that is none takes no memory.
    if length / 1_040 > packed.len() {
        return Err(Unfit::custom("so much was never packed into so little"));
    }
    let mut block = Vec::with_capacity(length);
    let status = Decompress::new(false).decompress_vec(packed, &mut block, FlushDecompress::Finish);
    let whole = matches!(status, Ok(Status::StreamEnd)) && block.len() == length;
    whole
        .then_some(block)
        .ok_or_else(|| Unfit::custom("it cannot be unpacked"))
}
