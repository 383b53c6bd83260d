//! Where addresses lead: one statement for a batch, and a cache that forgets within seconds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use moka::future::Cache;
use sqlx::FromRow;
use staffetta_chassis::postgres::Pool;
use staffetta_directory_api::lookup::{Lookup, fold};
use staffetta_directory_api::{
    AccountId, AccountState, DirectoryError, RecipientResolution, ResolvedAccount, SenderResolution,
    ShardEpoch, ShardName,
};
use staffetta_message::address::{Address, Domain};

use crate::config::ResolutionConfig;
use crate::error::database;
use crate::metrics::Metrics;
use crate::rows;

/// Most addresses of one call.
const MAX_ADDRESSES: usize = 1_000;

/// Looks addresses up.
pub(crate) struct Resolver {
    pool: Pool,
    answers: Cache<Address, Arc<Answer>>,
    domains: Cache<Domain, bool>,
    postmaster: Option<Address>,
    metrics: Metrics,
}

/// What is known of one folded address. The tag is not part of it: it is the sender's, case and all.
enum Answer {
    Remote,
    Local { targets: Vec<Target>, by_base: bool },
}

#[derive(Clone)]
struct Target {
    account: ResolvedAccount,
    state: AccountState,
}

/// A name that leads to an account, or a domain of ours.
#[derive(FromRow)]
struct NameRow {
    name: String,
    account_id: Option<i64>,
    address: Option<String>,
    state: Option<i16>,
    shard: Option<String>,
    shard_epoch: Option<i32>,
    quota_bytes: Option<i64>,
    quota_messages: Option<i64>,
}

impl Resolver {
    pub(crate) fn new(pool: Pool, config: &ResolutionConfig, metrics: Metrics) -> Self {
        fn cache<K: std::hash::Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static>(
            config: &ResolutionConfig,
        ) -> Cache<K, V> {
            Cache::builder().max_capacity(config.cache_capacity).time_to_live(config.cache_life).build()
        }
        let postmaster = config.postmaster.as_ref().map(fold);
        Self { pool, answers: cache(config), domains: cache(config), postmaster, metrics }
    }

    /// Forgets every answer: something was changed through this process.
    pub(crate) fn forget(&self) {
        self.answers.invalidate_all();
        self.domains.invalidate_all();
    }

    /// See [`staffetta_directory_api::Resolution::resolve_recipients`].
    pub(crate) async fn recipients(
        &self,
        addresses: &[Address],
    ) -> Result<Vec<RecipientResolution>, DirectoryError> {
        if addresses.len() > MAX_ADDRESSES {
            let message = format!("at most {MAX_ADDRESSES} addresses are resolved in one call");
            return Err(DirectoryError::Invalid { message });
        }
        let lookups: Vec<Lookup> = addresses.iter().map(Lookup::of).collect();
        let answers = self.answers(&lookups).await?;
        Ok(lookups.iter().zip(answers).map(|(lookup, answer)| recipient(lookup, &answer)).collect())
    }

    /// See [`staffetta_directory_api::Resolution::resolve_sender`].
    pub(crate) async fn sender(
        &self,
        account: AccountId,
        address: &Address,
    ) -> Result<SenderResolution, DirectoryError> {
        let answers = self.answers(&[Lookup::of(address)]).await?;
        let permitted = answers.iter().any(|answer| match &**answer {
            Answer::Remote => false,
            Answer::Local { targets, .. } => targets
                .iter()
                .any(|target| target.account.account == account && target.state == AccountState::Active),
        });
        Ok(if permitted { SenderResolution::Permitted } else { SenderResolution::Denied })
    }

    /// See [`staffetta_directory_api::Resolution::is_local_domain`].
    pub(crate) async fn is_local_domain(&self, domain: &Domain) -> Result<bool, DirectoryError> {
        if let Some(known) = self.domains.get(domain).await {
            return Ok(known);
        }
        let local: bool = sqlx::query_scalar(include_str!("sql/domain/exists.sql"))
            .bind(domain.as_str())
            .fetch_one(self.pool.inner())
            .await
            .map_err(|error| database(&error))?;
        self.domains.insert(domain.clone(), local).await;
        Ok(local)
    }

    /// One answer for each lookup, in order.
    async fn answers(&self, lookups: &[Lookup]) -> Result<Vec<Arc<Answer>>, DirectoryError> {
        let mut known: HashMap<&Address, Arc<Answer>> = HashMap::new();
        let mut missing: Vec<&Lookup> = Vec::new();
        for lookup in lookups {
            match self.answers.get(&lookup.exact).await {
                Some(answer) => drop(known.insert(&lookup.exact, answer)),
                None => missing.push(lookup),
            }
        }
        self.metrics.resolution("cache", lookups.len() - missing.len());
        if !missing.is_empty() {
            self.metrics.resolution("database", missing.len());
            let found = self.query(&missing).await?;
            for lookup in missing {
                let answer = Arc::new(self.answer(lookup, &found)?);
                self.answers.insert(lookup.exact.clone(), Arc::clone(&answer)).await;
                known.insert(&lookup.exact, answer);
            }
        }
        let ended = || DirectoryError::Internal { message: "an address has no answer".to_owned() };
        lookups.iter().map(|lookup| known.get(&lookup.exact).cloned().ok_or_else(ended)).collect()
    }

    /// Every row of every name that could matter, by name.
    async fn query(&self, lookups: &[&Lookup]) -> Result<HashMap<String, Vec<NameRow>>, DirectoryError> {
        let mut names: HashSet<String> = HashSet::new();
        let mut domains: HashSet<&str> = HashSet::new();
        for lookup in lookups {
            names.insert(lookup.exact.to_string());
            names.extend(lookup.base.as_ref().map(|(base, _)| base.to_string()));
            names.insert(catch_all(lookup.domain()));
            domains.insert(lookup.domain().as_str());
        }
        names.extend(self.postmaster.as_ref().map(ToString::to_string));
        let rows: Vec<NameRow> = sqlx::query_as(include_str!("sql/address/resolve.sql"))
            .bind(names.into_iter().collect::<Vec<_>>())
            .bind(domains.into_iter().collect::<Vec<_>>())
            .fetch_all(self.pool.inner())
            .await
            .map_err(|error| database(&error))?;
        let mut by_name: HashMap<String, Vec<NameRow>> = HashMap::new();
        for row in rows {
            by_name.entry(row.name.clone()).or_default().push(row);
        }
        Ok(by_name)
    }

    /// The first name that anybody has decides, even if nobody gets the mail then (an account that is being deleted).
    fn answer(
        &self,
        lookup: &Lookup,
        found: &HashMap<String, Vec<NameRow>>,
    ) -> Result<Answer, DirectoryError> {
        if !found.contains_key(lookup.domain().as_str()) {
            return Ok(Answer::Remote);
        }
        let exact = lookup.exact.to_string();
        let base = lookup.base.as_ref().map(|(base, _)| base.to_string());
        let fallback = self.postmaster.as_ref().filter(|_| lookup.exact.local() == "postmaster");
        let candidates =
            [Some(exact), base.clone(), Some(catch_all(lookup.domain())), fallback.map(ToString::to_string)];
        let Some(name) = candidates.into_iter().flatten().find(|name| found.contains_key(name)) else {
            return Ok(Answer::Local { targets: Vec::new(), by_base: false });
        };
        let targets: Result<Vec<Option<Target>>, DirectoryError> =
            found.get(&name).into_iter().flatten().map(NameRow::target).collect();
        let targets = targets?.into_iter().flatten();
        let living = targets.filter(|target| target.state != AccountState::Deleting).collect();
        Ok(Answer::Local { targets: living, by_base: base == Some(name) })
    }
}

impl NameRow {
    fn target(&self) -> Result<Option<Target>, DirectoryError> {
        let row = (self.account_id, &self.address, self.state, &self.shard, self.shard_epoch);
        let (Some(account), Some(address), Some(state), Some(shard), Some(epoch)) = row else {
            return Ok(None);
        };
        let quota =
            rows::quota(self.quota_bytes.unwrap_or_default(), self.quota_messages.unwrap_or_default());
        let account = ResolvedAccount {
            account: AccountId(account),
            address: rows::address(address)?,
            shard: ShardName(shard.clone()),
            epoch: ShardEpoch(epoch),
            quota,
            tag: None,
        };
        Ok(Some(Target { account, state: rows::state(state)? }))
    }
}

fn recipient(lookup: &Lookup, answer: &Answer) -> RecipientResolution {
    let (targets, by_base) = match answer {
        Answer::Remote => return RecipientResolution::Remote,
        Answer::Local { targets, .. } if targets.is_empty() => return RecipientResolution::UnknownUser,
        Answer::Local { targets, by_base } => (targets, *by_base),
    };
    let tag = lookup.base.as_ref().filter(|_| by_base).map(|(_, tag)| tag.clone());
    let account = |target: &Target| ResolvedAccount { tag: tag.clone(), ..target.account.clone() };
    RecipientResolution::Local(targets.iter().map(account).collect())
}

/// The name under which the table has a domain's catch-all; no address looks like it.
pub(crate) fn catch_all(domain: &Domain) -> String {
    format!("@{domain}")
}
