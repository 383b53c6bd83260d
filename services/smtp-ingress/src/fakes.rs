//! What tests put behind the ports: the memory fakes of the api crates, with a recorder and faults in front.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use staffetta_chassis::clock::Clock;
use staffetta_directory_api::memory::MemoryDirectory;
use staffetta_directory_api::{
    AccountId, Authentication, BudgetCharge, BudgetOutcome, Budgets, DirectoryError, LoginRequest,
    RecipientResolution, Resolution, SenderResolution, Session, SessionHandle, ShardName,
};
use staffetta_mailstore_api::{
    Access, Accounts, AppendRequest, Appended, DeliverRequest, Delivered, Delivery, MailstoreError,
    MemoryMailstore, PurgeProgress, QuotaUsage, TransactionId,
};
use staffetta_message::address::{Address, Domain};
use staffetta_outbound_api::{
    EnqueueRequest, Enqueued, MemoryQueue, Queue, QueueError, QueueFilter, QueueStats, QueuedMessage,
};

use crate::policy::rates::Rates;
use crate::ports::{Ports, Shard};
use uuid::Uuid;

/// How one call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing happened.
    Away,
    /// It happened, and the answer got lost.
    AnswerLost,
    /// The call will never be taken.
    Never,
}

/// Faults for the next calls, then for all further ones.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    next: Mutex<VecDeque<Fault>>,
    always: Mutex<Option<Fault>>,
}

impl Faults {
    pub(crate) fn next(&self, faults: &[Fault]) {
        self.next.lock().unwrap().extend(faults);
    }

    pub(crate) fn always(&self, fault: Option<Fault>) {
        *self.always.lock().unwrap() = fault;
    }

    fn take(&self) -> Option<Fault> {
        self.next.lock().unwrap().pop_front().or_else(|| *self.always.lock().unwrap())
    }
}

/// One message that a store or the queue was given.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) transaction: TransactionId,
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) recipients: Vec<String>,
    pub(crate) traceparent: Option<String>,
    pub(crate) eight_bit: bool,
    pub(crate) text: String,
}

/// A mailstore that remembers what it was given.
pub(crate) struct Store {
    pub(crate) inner: MemoryMailstore,
    pub(crate) faults: Faults,
    pub(crate) calls: Mutex<Vec<Recorded>>,
}

#[async_trait]
impl Delivery for Store {
    async fn append(&self, access: &Access, request: AppendRequest) -> Result<Appended, MailstoreError> {
        self.inner.append(access, request).await
    }

    async fn deliver(&self, request: DeliverRequest) -> Result<Delivered, MailstoreError> {
        let text = String::from_utf8_lossy(&request.body.bytes().await.unwrap()).into_owned();
        self.calls.lock().unwrap().push(Recorded {
            transaction: request.transaction,
            accounts: request.targets.iter().map(|target| target.account).collect(),
            recipients: Vec::new(),
            traceparent: None,
            eight_bit: false,
            text,
        });
        let away = || MailstoreError::Unavailable { message: "fault".to_owned() };
        match self.faults.take() {
            None => self.inner.deliver(request).await,
            Some(Fault::AnswerLost) => {
                self.inner.deliver(request).await?;
                Err(away())
            }
            Some(Fault::Away) => Err(away()),
            Some(Fault::Never) => Err(MailstoreError::Invalid { message: "fault".to_owned() }),
        }
    }
}

#[async_trait]
impl Accounts for Store {
    async fn quota_usage(&self, access: &Access) -> Result<QuotaUsage, MailstoreError> {
        self.inner.quota_usage(access).await
    }

    async fn usage(&self, accounts: &[AccountId]) -> Result<Vec<QuotaUsage>, MailstoreError> {
        self.inner.usage(accounts).await
    }

    async fn purge(&self, account: AccountId) -> Result<PurgeProgress, MailstoreError> {
        self.inner.purge(account).await
    }
}

/// A queue that remembers what it was given.
pub(crate) struct Spooler {
    pub(crate) inner: MemoryQueue,
    pub(crate) faults: Faults,
    pub(crate) calls: Mutex<Vec<Recorded>>,
}

#[async_trait]
impl Queue for Spooler {
    async fn enqueue(&self, request: EnqueueRequest) -> Result<Enqueued, QueueError> {
        let text = String::from_utf8_lossy(&request.body.bytes().await.unwrap()).into_owned();
        self.calls.lock().unwrap().push(Recorded {
            transaction: request.transaction,
            accounts: Vec::new(),
            recipients: request.recipients.iter().map(ToString::to_string).collect(),
            traceparent: request.traceparent.clone(),
            eight_bit: request.eight_bit,
            text,
        });
        let away = || QueueError::Unavailable { message: "fault".to_owned() };
        match self.faults.take() {
            None => self.inner.enqueue(request).await,
            Some(Fault::AnswerLost) => {
                self.inner.enqueue(request).await?;
                Err(away())
            }
            Some(Fault::Away) => Err(away()),
            Some(Fault::Never) => Err(QueueError::Invalid { message: "fault".to_owned() }),
        }
    }

    async fn list(&self, filter: &QueueFilter) -> Result<Vec<QueuedMessage>, QueueError> {
        self.inner.list(filter).await
    }

    async fn show(&self, transaction: TransactionId) -> Result<QueuedMessage, QueueError> {
        self.inner.show(transaction).await
    }

    async fn retry(&self, transaction: Option<TransactionId>) -> Result<u64, QueueError> {
        self.inner.retry(transaction).await
    }

    async fn cancel(&self, transaction: TransactionId) -> Result<u64, QueueError> {
        self.inner.cancel(transaction).await
    }

    async fn stats(&self) -> Result<QueueStats, QueueError> {
        self.inner.stats().await
    }
}

/// All of it, with handles for the test; as directory it is the memory fake behind [`Backend::away`].
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) directory: MemoryDirectory,
    pub(crate) away: Arc<AtomicBool>,
    pub(crate) store: Arc<Store>,
    pub(crate) queue: Arc<Spooler>,
}

impl Backend {
    pub(crate) fn new(clock: &Arc<dyn Clock>, directory: MemoryDirectory) -> Self {
        let store = Store {
            inner: MemoryMailstore::new(clock.clone()),
            faults: Faults::default(),
            calls: Mutex::default(),
        };
        let queue = Spooler {
            inner: MemoryQueue::new(clock.clone()),
            faults: Faults::default(),
            calls: Mutex::default(),
        };
        let away = Arc::default();
        Self { directory, away, store: Arc::new(store), queue: Arc::new(queue) }
    }

    pub(crate) fn ports(&self, rates: Arc<dyn Rates>) -> Ports {
        let directory = Arc::new(self.clone());
        let shard = Shard { delivery: self.store.clone(), accounts: self.store.clone() };
        Ports {
            authentication: directory.clone(),
            resolution: directory.clone(),
            budgets: directory,
            shards: BTreeMap::from([(ShardName::default(), shard)]),
            queue: self.queue.clone(),
            rates,
        }
    }

    fn healthy(&self) -> Result<(), DirectoryError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(DirectoryError::Unavailable { message: "fault".to_owned() });
        }
        Ok(())
    }

    /// What mailstore was given, failed calls included.
    pub(crate) fn delivered(&self) -> Vec<Recorded> {
        self.store.calls.lock().unwrap().clone()
    }

    /// What the queue was given, failed calls included.
    pub(crate) fn queued(&self) -> Vec<Recorded> {
        self.queue.calls.lock().unwrap().clone()
    }
}

#[async_trait]
impl Authentication for Backend {
    async fn login(&self, request: LoginRequest) -> Result<Session, DirectoryError> {
        self.healthy()?;
        self.directory.login(request).await
    }

    async fn renew(&self, handle: &SessionHandle) -> Result<Session, DirectoryError> {
        self.healthy()?;
        self.directory.renew(handle).await
    }

    async fn logout(&self, handle: &SessionHandle) -> Result<(), DirectoryError> {
        self.directory.logout(handle).await
    }
}

#[async_trait]
impl Resolution for Backend {
    async fn resolve_recipients(
        &self,
        addresses: &[Address],
    ) -> Result<Vec<RecipientResolution>, DirectoryError> {
        self.healthy()?;
        self.directory.resolve_recipients(addresses).await
    }

    async fn resolve_sender(
        &self,
        account: AccountId,
        address: &Address,
    ) -> Result<SenderResolution, DirectoryError> {
        self.healthy()?;
        self.directory.resolve_sender(account, address).await
    }

    async fn is_local_domain(&self, domain: &Domain) -> Result<bool, DirectoryError> {
        self.healthy()?;
        self.directory.is_local_domain(domain).await
    }
}

#[async_trait]
impl Budgets for Backend {
    async fn charge(&self, charge: &BudgetCharge) -> Result<BudgetOutcome, DirectoryError> {
        self.healthy()?;
        self.directory.charge(charge).await
    }

    async fn refund(&self, transaction: Uuid) -> Result<(), DirectoryError> {
        self.directory.refund(transaction).await
    }
}
