//! One pass over a new message: checksum, skeleton, header.

use futures_util::TryStreamExt;
use staffetta_chassis::spool::Spooled;
use staffetta_mailstore_api::MailstoreError;
use staffetta_message::header_block::compress_header;
use staffetta_message::skeleton::SkeletonBuilder;
use staffetta_packs::Checksum;
use staffetta_packs::address::ChecksumHasher;

use crate::config::MimeLimits;
use crate::error::{internal, unavailable};

/// Octets between two chances for other tasks.
const YIELD_EVERY: usize = 1 << 20;

/// What is recorded about a body besides its address.
pub(crate) struct Learnt {
    pub(crate) checksum: Checksum,
    /// Compressed; `None` when it is too large to be kept apart.
    pub(crate) header: Option<Vec<u8>>,
    pub(crate) skeleton: Vec<u8>,
}

pub(crate) async fn ingest(body: &Spooled, limits: &MimeLimits) -> Result<Learnt, MailstoreError> {
    let mut builder = SkeletonBuilder::new(limits.into());
    let mut hasher = ChecksumHasher::default();
    let mut pieces = body.stream();
    let mut unyielded = 0;
    while let Some(piece) = pieces.try_next().await.map_err(|error| unavailable(&error))? {
        hasher.update(&piece);
        builder.push(&piece);
        unyielded += piece.len();
        if unyielded > YIELD_EVERY {
            tokio::task::yield_now().await;
            unyielded = 0;
        }
    }
    let ingested = builder.finish();
    let header = match ingested.header_complete {
        true => Some(compress_header(&ingested.header).map_err(|error| internal(error.to_string()))?),
        false => None,
    };
    Ok(Learnt { checksum: hasher.finish(), header, skeleton: ingested.skeleton.encode() })
}
