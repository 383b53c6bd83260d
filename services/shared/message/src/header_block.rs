//! The stored form of a header block: zstd, with a bound on what it may grow to.

/// Level: above 3 a header of a few KiB gains nothing.
const LEVEL: i32 = 3;
/// Most octets a stored header block may decompress to.
const MAX_HEADER: usize = 4 * 1024 * 1024;

/// Why a stored header block cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored header block is damaged or too large")]
pub struct HeaderBlockError;

/// Compresses a raw header block for storage.
///
/// # Errors
/// Only if the compressor cannot get memory, or the block is larger than [`decompress_header`] would accept.
pub fn compress_header(block: &[u8]) -> Result<Vec<u8>, HeaderBlockError> {
    if block.len() > MAX_HEADER {
        return Err(HeaderBlockError);
    }
    zstd::bulk::compress(block, LEVEL).map_err(|_| HeaderBlockError)
}

/// Restores a block made by [`compress_header`]; never allocates more than the bound.
///
/// # Errors
/// [`HeaderBlockError`] on damage or beyond the bound.
pub fn decompress_header(stored: &[u8]) -> Result<Vec<u8>, HeaderBlockError> {
    zstd::bulk::decompress(stored, MAX_HEADER).map_err(|_| HeaderBlockError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_is_smaller_and_damage_is_an_error() {
        let block = b"Received: from a.test by b.test\r\n".repeat(20);
        let stored = compress_header(&block).unwrap();
        assert!(stored.len() < block.len() / 4);
        assert_eq!(decompress_header(&stored).unwrap(), block);
        assert_eq!(decompress_header(&stored[..stored.len() - 3]), Err(HeaderBlockError));
        assert_eq!(decompress_header(b"junk"), Err(HeaderBlockError));
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = zstd::bulk::compress(&vec![0; MAX_HEADER + 1], LEVEL).unwrap();
        assert_eq!(decompress_header(&bomb), Err(HeaderBlockError));
    }
}
