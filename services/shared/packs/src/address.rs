//! Where a body lies: pack, offset, length, checksum.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::{NoContext, Timestamp, Uuid};

/// Time-ordered identity of a pack (UUIDv7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackId(Uuid);

impl PackId {
    /// A fresh id carrying `now`.
    pub fn new(now: DateTime<Utc>) -> Self {
        let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
        Self(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos())))
    }

    /// The id as kept in a database column.
    pub fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// The bare uuid.
    pub fn as_uuid(self) -> Uuid {
        self.0
    }

    /// When the pack was begun, millisecond precision.
    pub fn created_at(self) -> DateTime<Utc> {
        let (seconds, nanos) = self.0.get_timestamp().map_or((0, 0), |stamp| stamp.to_unix());
        i64::try_from(seconds).ok().and_then(|s| DateTime::from_timestamp(s, nanos)).unwrap_or_default()
    }
}

impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who wrote a pack: part of its name, so that an operator sees which pod an orphan comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WriterId(Arc<str>);

impl WriterId {
    const MAX: usize = 40;

    /// Keeps ASCII letters, digits and `-`, at most 40 of them; `writer` if nothing is left.
    pub fn new(name: &str) -> Self {
        let kept: String = name
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .take(Self::MAX)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        if kept.is_empty() { Self("writer".into()) } else { Self(kept.into()) }
    }

    /// A random one, for a process without a name.
    pub fn random() -> Self {
        Self(format!("{:08x}", rand::random::<u32>()).into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A pack: its id and who wrote it. Together with the prefix this is the object's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PackName {
    /// Identity and time.
    pub id: PackId,
    /// The writing process.
    pub writer: WriterId,
}

impl PackName {
    /// `<prefix>/<yyyymmdd>/<hh>/<uuidv7>-<writer>.pack`
    pub fn key(&self, prefix: &Prefix) -> String {
        let at = self.id.created_at();
        format!("{}/{}/{}-{}.pack", prefix.0, at.format("%Y%m%d/%H"), self.id, self.writer.as_str())
    }
}

/// First segment(s) of all keys of one owner, without slashes at the ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// Drops slashes at both ends.
    pub fn new(prefix: &str) -> Self {
        Self(prefix.trim_matches('/').into())
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// BLAKE3 of the whole body, first 16 bytes: against damage, not against an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum(pub [u8; 16]);

impl Checksum {
    /// Checksum of a body that is in memory.
    pub fn of(body: &[u8]) -> Self {
        let mut hasher = ChecksumHasher::default();
        hasher.update(body);
        hasher.finish()
    }

    /// From a database column; `None` unless it has 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// Computes a [`Checksum`] while a body streams by.
#[derive(Debug, Default)]
pub struct ChecksumHasher(blake3::Hasher);

impl ChecksumHasher {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The checksum of everything seen.
    pub fn finish(&self) -> Checksum {
        let mut short = [0; 16];
        short.copy_from_slice(&self.0.finalize().as_bytes()[..16]);
        Checksum(short)
    }
}

/// The address of one body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyAddress {
    /// The pack it lies in.
    pub pack: PackName,
    /// First byte in the pack.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
    /// Checksum of the whole body.
    pub checksum: Checksum,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_carries_prefix_time_and_writer() {
        let now = DateTime::from_timestamp(1_700_000_000, 123_000_000).unwrap();
        let name = PackName { id: PackId::new(now), writer: WriterId::new("mailstore-0.pod/é") };
        let key = name.key(&Prefix::new("/mail/"));
        assert!(key.starts_with("mail/20231114/22/"), "{key}");
        assert!(key.ends_with("-mailstore-0pod.pack"), "{key}");
        assert_eq!(name.id.created_at(), now);
    }

    #[test]
    fn checksum_of_pieces_is_checksum_of_whole() {
        let mut hasher = ChecksumHasher::default();
        hasher.update(b"hel");
        hasher.update(b"lo");
        assert_eq!(hasher.finish(), Checksum::of(b"hello"));
        assert_ne!(hasher.finish(), Checksum::of(b"hellO"));
    }
}
