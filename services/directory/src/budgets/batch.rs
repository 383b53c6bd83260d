//! One transaction for many charges and refunds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use staffetta_chassis::clock::Clock;
use staffetta_chassis::postgres::{Pool, Tx, TxError};
use staffetta_directory_api::lookup::fold;
use staffetta_directory_api::{AccountId, BudgetCharge, BudgetOutcome, DirectoryError, SendingBudget};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::window::Usage;
use crate::config::BudgetConfig;
use crate::error::{self, database};
use crate::rows::BudgetColumns;

/// How often a batch begins again because a subject's row was missing or a charge appeared meanwhile.
const ROUNDS: usize = 5;

/// What is asked for, and where the answer goes.
pub(super) enum Request {
    Charge(BudgetCharge, oneshot::Sender<Result<BudgetOutcome, DirectoryError>>),
    Refund(Uuid, oneshot::Sender<Result<(), DirectoryError>>),
}

/// Requests in the order they arrived, without those whose caller has gone.
pub(super) struct Batch {
    requests: Vec<Request>,
}

/// A row of `budget_charge`.
#[derive(Clone, FromRow)]
struct ChargeRow {
    transaction_id: Uuid,
    account_id: i64,
    sender: Option<String>,
    recipients: i64,
    charged_at: DateTime<Utc>,
}

#[derive(FromRow)]
struct UsageRow {
    subject: String,
    buckets: Vec<u8>,
}

#[derive(FromRow)]
struct LimitRow {
    account_id: i64,
    address: String,
    #[sqlx(flatten)]
    own: BudgetColumns,
}

/// How a transaction ended without an error.
enum Round {
    Done(Vec<BudgetOutcome>),
    /// These subjects have no row yet, or were not among the locked.
    Missing(Vec<String>),
}

impl Batch {
    pub(super) fn new(requests: impl Iterator<Item = Request>) -> Self {
        let waiting = |request: &Request| match request {
            Request::Charge(_, reply) => !reply.is_closed(),
            Request::Refund(_, reply) => !reply.is_closed(),
        };
        Self { requests: requests.filter(waiting).collect() }
    }

    /// Answers every request.
    pub(super) async fn run(self, pool: &Pool, clock: &dyn Clock, config: &BudgetConfig) {
        if self.requests.is_empty() {
            return;
        }
        let outcome = self.settle(pool, clock.now(), config).await;
        let mut outcomes = outcome.as_ref().map(|outcomes| outcomes.iter().cloned());
        for request in self.requests {
            let answer = match &mut outcomes {
                Ok(outcomes) => Ok(outcomes.next().unwrap_or(BudgetOutcome::Charged)),
                Err(error) => Err((*error).clone()),
            };
            // A caller that has gone gets no answer: its retry carries the same id.
            match request {
                Request::Charge(_, reply) => drop(reply.send(answer)),
                Request::Refund(_, reply) => drop(reply.send(answer.map(|_| ()))),
            }
        }
    }

    async fn settle(
        &self,
        pool: &Pool,
        now: SystemTime,
        config: &BudgetConfig,
    ) -> Result<Vec<BudgetOutcome>, DirectoryError> {
        for _ in 0..ROUNDS {
            let round = pool.transaction("budget", |tx| Box::pin(self.attempt(tx, now, config))).await;
            let missing = match round.map_err(error::transaction)? {
                Round::Done(outcomes) => return Ok(outcomes),
                Round::Missing(missing) => missing,
            };
            // Outside of the transaction: inside it, two pods could wait for each other's new rows.
            sqlx::query(include_str!("../sql/budget/add_subjects.sql"))
                .bind(missing)
                .bind(DateTime::<Utc>::from(now))
                .execute(pool.inner())
                .await
                .map_err(|error| database(&error))?;
        }
        Err(DirectoryError::Unavailable { message: "budgets are changing too fast".to_owned() })
    }

    async fn attempt(
        &self,
        tx: &mut Tx<'_>,
        now: SystemTime,
        config: &BudgetConfig,
    ) -> Result<Round, TxError<DirectoryError>> {
        let subjects = self.subjects(tx).await?;
        if subjects.is_empty() {
            return Ok(Round::Done(vec![BudgetOutcome::Charged; self.requests.len()]));
        }
        let locked: Vec<UsageRow> = sqlx::query_as(include_str!("../sql/budget/lock.sql"))
            .bind(subjects.iter().cloned().collect::<Vec<_>>())
            .fetch_all(&mut **tx)
            .await?;
        let mut ledger = Ledger::new(locked, now, config);
        let missing: Vec<String> =
            subjects.into_iter().filter(|subject| !ledger.usages.contains_key(subject)).collect();
        if !missing.is_empty() {
            return Ok(Round::Missing(missing));
        }
        // Only now: under the locks nobody else adds or removes a charge of these subjects.
        ledger.charges = charges(tx, self.transactions().collect()).await?;
        ledger.limits = self.limits(tx).await?;
        let mut outcomes = Vec::with_capacity(self.requests.len());
        for request in &self.requests {
            match request {
                Request::Charge(charge, _) => outcomes.push(ledger.charge(charge)),
                Request::Refund(transaction, _) => {
                    if let Err(missing) = ledger.refund(*transaction) {
                        return Ok(Round::Missing(missing));
                    }
                    outcomes.push(BudgetOutcome::Charged);
                }
            }
        }
        ledger.write(tx).await?;
        Ok(Round::Done(outcomes))
    }

    fn transactions(&self) -> impl Iterator<Item = Uuid> {
        self.requests.iter().map(|request| match request {
            Request::Charge(charge, _) => charge.transaction,
            Request::Refund(transaction, _) => *transaction,
        })
    }

    /// Every budget that this batch touches: of the charges themselves, and of what is given back.
    async fn subjects(&self, tx: &mut Tx<'_>) -> Result<BTreeSet<String>, TxError<DirectoryError>> {
        let (mut subjects, mut refunds) = (BTreeSet::new(), Vec::new());
        for request in &self.requests {
            match request {
                Request::Charge(charge, _) => subjects.extend(row(charge, SystemTime::UNIX_EPOCH).subjects()),
                Request::Refund(transaction, _) => refunds.push(*transaction),
            }
        }
        if !refunds.is_empty() {
            let charged = charges(tx, refunds).await?;
            subjects.extend(charged.values().flat_map(ChargeRow::subjects));
        }
        Ok(subjects)
    }

    async fn limits(&self, tx: &mut Tx<'_>) -> Result<HashMap<i64, LimitRow>, TxError<DirectoryError>> {
        let accounts: BTreeSet<i64> = self
            .requests
            .iter()
            .filter_map(|request| match request {
                Request::Charge(charge, _) => Some(charge.account.0),
                Request::Refund(..) => None,
            })
            .collect();
        let rows: Vec<LimitRow> = sqlx::query_as(include_str!("../sql/budget/limits.sql"))
            .bind(accounts.into_iter().collect::<Vec<_>>())
            .fetch_all(&mut **tx)
            .await?;
        Ok(rows.into_iter().map(|row| (row.account_id, row)).collect())
    }
}

/// The state of the locked budgets while a batch is decided.
struct Ledger<'a> {
    now: SystemTime,
    config: &'a BudgetConfig,
    usages: BTreeMap<String, Usage>,
    changed: BTreeSet<String>,
    charges: HashMap<Uuid, ChargeRow>,
    limits: HashMap<i64, LimitRow>,
    added: HashMap<Uuid, ChargeRow>,
    given_back: Vec<Uuid>,
}

impl<'a> Ledger<'a> {
    fn new(locked: Vec<UsageRow>, now: SystemTime, config: &'a BudgetConfig) -> Self {
        let usage = |row: UsageRow| {
            let mut usage = Usage::decode(&row.buckets);
            usage.compact(now);
            (row.subject, usage)
        };
        Self {
            now,
            config,
            usages: locked.into_iter().map(usage).collect(),
            changed: BTreeSet::new(),
            charges: HashMap::new(),
            limits: HashMap::new(),
            added: HashMap::new(),
            given_back: Vec::new(),
        }
    }

    fn charge(&mut self, charge: &BudgetCharge) -> BudgetOutcome {
        if self.charges.contains_key(&charge.transaction) || self.added.contains_key(&charge.transaction) {
            return BudgetOutcome::Charged;
        }
        let row = row(charge, self.now);
        let (account, sender) = self.budgets(charge.account);
        let name = self.limits.get(&charge.account.0).map_or("this account", |limit| &limit.address);
        let payers =
            [Some((row.account(), account, name)), row.sender().map(|key| (key, sender, row.sender_name()))];
        let excess = payers
            .iter()
            .flatten()
            .filter_map(|(key, budget, name)| {
                let excess = self.usages.get(key)?.excess(budget, charge.recipients, self.now)?;
                Some((excess, *name))
            })
            .max_by_key(|(excess, _)| excess.retry_after);
        if let Some((excess, name)) = excess {
            let reason = format!("{} for {name}", excess.limit);
            return BudgetOutcome::Exceeded { reason, retry_after: excess.retry_after };
        }
        for subject in row.subjects() {
            if let Some(usage) = self.usages.get_mut(&subject) {
                usage.add(charge.recipients, self.now);
            }
            self.changed.insert(subject);
        }
        self.added.insert(charge.transaction, row);
        BudgetOutcome::Charged
    }

    /// Gives a charge back; the error names budgets that are not locked.
    fn refund(&mut self, transaction: Uuid) -> Result<(), Vec<String>> {
        let known = match self.added.remove(&transaction) {
            Some(row) => row,
            None => match self.charges.remove(&transaction) {
                Some(row) => {
                    self.given_back.push(transaction);
                    row
                }
                None => return Ok(()),
            },
        };
        let recipients = u32::try_from(known.recipients).unwrap_or(u32::MAX);
        for subject in known.subjects() {
            let Some(usage) = self.usages.get_mut(&subject) else { return Err(known.subjects().collect()) };
            usage.take_back(recipients, known.charged_at.into());
            self.changed.insert(subject);
        }
        Ok(())
    }

    /// The budgets of an account and of a sender address that it uses: its own for both, if it has one.
    fn budgets(&self, account: AccountId) -> (SendingBudget, SendingBudget) {
        match self.limits.get(&account.0).and_then(|limit| limit.own.into()) {
            Some(own) => (own, own),
            None => (self.config.account, self.config.sender),
        }
    }

    async fn write(self, tx: &mut Tx<'_>) -> Result<(), TxError<DirectoryError>> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let buckets: Vec<Vec<u8>> = self
            .changed
            .iter()
            .map(|subject| self.usages.get(subject).map(Usage::encode).unwrap_or_default())
            .collect();
        let added: Vec<ChargeRow> = self.added.into_values().collect();
        sqlx::query(include_str!("../sql/budget/write.sql"))
            .bind(self.changed.into_iter().collect::<Vec<_>>())
            .bind(buckets)
            .bind(DateTime::<Utc>::from(self.now))
            .bind(self.given_back)
            .bind(added.iter().map(|row| row.transaction_id).collect::<Vec<_>>())
            .bind(added.iter().map(|row| row.account_id).collect::<Vec<_>>())
            .bind(added.iter().map(|row| row.sender.clone()).collect::<Vec<_>>())
            .bind(added.iter().map(|row| row.recipients).collect::<Vec<_>>())
            .bind(added.iter().map(|row| row.charged_at).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
        Ok(())
    }
}

impl ChargeRow {
    fn account(&self) -> String {
        format!("account:{}", self.account_id)
    }

    fn sender(&self) -> Option<String> {
        self.sender.as_ref().map(|sender| format!("sender:{sender}"))
    }

    fn sender_name(&self) -> &str {
        self.sender.as_deref().unwrap_or_default()
    }

    fn subjects(&self) -> impl Iterator<Item = String> + use<> {
        [Some(self.account()), self.sender()].into_iter().flatten()
    }
}

fn row(charge: &BudgetCharge, now: SystemTime) -> ChargeRow {
    ChargeRow {
        transaction_id: charge.transaction,
        account_id: charge.account.0,
        sender: charge.sender.as_ref().map(|sender| fold(sender).to_string()),
        recipients: i64::from(charge.recipients),
        charged_at: now.into(),
    }
}

async fn charges(
    tx: &mut Tx<'_>,
    transactions: Vec<Uuid>,
) -> Result<HashMap<Uuid, ChargeRow>, TxError<DirectoryError>> {
    let rows: Vec<ChargeRow> = sqlx::query_as(include_str!("../sql/budget/charges.sql"))
        .bind(transactions)
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.transaction_id, row)).collect())
}
