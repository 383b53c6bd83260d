//! Which mailstore serves a shard.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use staffetta_directory_api::ShardName;

use crate::{Mailstore, MailstoreError};

/// Finds the mailstore of a shard; directory says on which shard an account lives.
pub trait Shards: Send + Sync + 'static {
    /// The mailstore of the shard.
    ///
    /// # Errors
    /// [`MailstoreError::Unavailable`] for a shard that is not known here (yet): the caller tries again later.
    fn shard(&self, name: &ShardName) -> Result<Arc<dyn Mailstore>, MailstoreError>;

    /// Every shard that is known, in name order.
    fn names(&self) -> Vec<ShardName>;
}

/// A fixed set of shards.
#[derive(Clone, Default)]
pub struct ShardMap {
    shards: BTreeMap<ShardName, Arc<dyn Mailstore>>,
}

impl ShardMap {
    /// The one shard of a platform with a single database, under its default name.
    #[must_use]
    pub fn single(mailstore: Arc<dyn Mailstore>) -> Self {
        [(ShardName::default(), mailstore)].into_iter().collect()
    }
}

impl FromIterator<(ShardName, Arc<dyn Mailstore>)> for ShardMap {
    fn from_iter<T: IntoIterator<Item = (ShardName, Arc<dyn Mailstore>)>>(shards: T) -> Self {
        Self { shards: shards.into_iter().collect() }
    }
}

impl Shards for ShardMap {
    fn shard(&self, name: &ShardName) -> Result<Arc<dyn Mailstore>, MailstoreError> {
        let missing =
            || MailstoreError::Unavailable { message: format!("shard {name} is not configured here") };
        self.shards.get(name).cloned().ok_or_else(missing)
    }

    fn names(&self) -> Vec<ShardName> {
        self.shards.keys().cloned().collect()
    }
}

impl fmt::Debug for ShardMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.shards.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use staffetta_chassis::clock::Manual;

    use super::*;
    use crate::MemoryMailstore;

    #[test]
    fn an_unknown_shard_is_a_temporary_matter() {
        let store = MemoryMailstore::new(Arc::new(Manual::at_unix(1_800_000_000)));
        let shards = ShardMap::single(Arc::new(store));
        assert!(shards.shard(&ShardName("main".to_owned())).is_ok());
        assert_eq!(shards.names(), [ShardName::default()]);
        let unknown = shards.shard(&ShardName("two".to_owned())).err();
        assert!(unknown.is_some_and(|error| error.is_temporary()));
    }
}
