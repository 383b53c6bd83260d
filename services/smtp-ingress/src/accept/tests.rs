use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use staffetta_chassis::clock::{Clock, Manual};
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::memory::MemoryDirectory;
use staffetta_directory_api::{AccountId, Quota, ResolvedAccount, ShardEpoch, ShardName};
use staffetta_mailstore_api::{Accounts as _, TransactionId};
use staffetta_message::address::{Address, Domain};
use uuid::Uuid;

use super::*;
use crate::config::Config;
use crate::fakes::{Backend, Fault};
use crate::policy::header::Lacks;
use crate::policy::rates::LocalRates;
use crate::session::{Recipient, Route};

struct Bench {
    clock: Manual,
    backend: Backend,
    policy: Policy,
}

fn bench() -> Bench {
    let clock = Manual::at_unix(1_800_000_000);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let backend = Backend::new(&shared, MemoryDirectory::new(shared.clone()));
    let config: Config = staffetta_chassis::config::parse(crate::config::tests::SMALLEST, []).unwrap();
    let ports = backend.ports(Arc::new(LocalRates::new(shared.clone(), 10)));
    let policy = Policy::new(Arc::new(config), ports, shared, Tasks::new());
    Bench { clock, backend, policy }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn local(text: &str, accounts: &[i64], shard: &str, quota: Quota) -> Recipient {
    let accounts = accounts.iter().map(|id| ResolvedAccount {
        account: AccountId(*id),
        address: address(text),
        shard: ShardName(shard.to_owned()),
        epoch: ShardEpoch::default(),
        quota,
        tag: None,
    });
    Recipient { address: address(text), route: Route::Local(accounts.collect()) }
}

fn bob() -> Recipient {
    local("bob@north.test", &[2], "main", Quota::UNLIMITED)
}

fn far() -> Recipient {
    Recipient { address: address("carol@south.test"), route: Route::Remote }
}

impl Bench {
    /// Accepts one message while the clock runs, and says how long it took.
    async fn accept(&self, recipients: &[Recipient]) -> (Result<Taken, Refusal>, Duration) {
        let id = TransactionId(Uuid::from_u128(0x0190));
        let mut transaction = Transaction::new(id, Some(address("alice@north.test")), None);
        recipients.iter().for_each(|recipient| transaction.add(recipient.clone()));
        let hostname = Domain::parse("mx.north.test").unwrap();
        let at = self.clock.now().into();
        let origin = Origin {
            helo: "client.test",
            extended: true,
            authenticated: false,
            client: [192, 0, 2, 1].into(),
            tls: None,
            hostname: &hostname,
            id,
            recipient: None,
            at,
        };
        let message = Message {
            transaction: &transaction,
            body: Spooled::from(Bytes::from_static(b"Subject: x\r\n\r\nhello\r\n")),
            eight_bit: false,
            prefix: Prefix::new(&origin, Lacks::default()),
            received_at: at,
            traceparent: None,
        };
        let start = self.clock.instant();
        let accepting = self.policy.accept(message);
        tokio::pin!(accepting);
        let taken = loop {
            tokio::select! {
                biased;
                taken = &mut accepting => break taken,
                () = tokio::task::yield_now() => self.clock.advance(Duration::from_millis(50)),
            }
        };
        (taken, self.clock.instant() - start)
    }

    async fn stored(&self, account: i64) -> u64 {
        self.backend.store.inner.usage(&[AccountId(account)]).await.unwrap()[0].messages
    }
}

#[tokio::test]
async fn local_recipients_of_one_shard_are_one_delivery_with_a_return_path() {
    let bench = bench();
    let alias = local("team@north.test", &[2, 3], "main", Quota::UNLIMITED);
    assert_eq!(bench.accept(&[bob(), alias]).await.0, Ok(Taken::Delivered));
    let delivered = bench.backend.delivered();
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0].accounts, [AccountId(2), AccountId(3)], "an account gets one copy");
    assert!(delivered[0].text.starts_with("Return-Path: <alice@north.test>\r\nReceived: from client.test"));
    assert!(delivered[0].text.ends_with("Subject: x\r\n\r\nhello\r\n"));
    assert!(bench.backend.queued().is_empty());
}

#[tokio::test]
async fn remote_mixed_and_many_shards_are_one_queueing_of_all_recipients() {
    let elsewhere = local("dora@north.test", &[4], "second", Quota::UNLIMITED);
    for recipients in [vec![far()], vec![bob(), far()], vec![bob(), elsewhere]] {
        let bench = bench();
        assert_eq!(bench.accept(&recipients).await.0, Ok(Taken::Queued));
        let queued = bench.backend.queued();
        assert_eq!(queued.len(), 1);
        assert_eq!(queued[0].recipients.len(), recipients.len());
        assert!(queued[0].text.starts_with("Received: "), "outbound adds Return-Path on local delivery");
        assert!(bench.backend.delivered().is_empty());
    }
}

#[tokio::test]
async fn a_refusal_queues_all_recipients_and_stores_nothing() {
    let bench = bench();
    let full = local("full@north.test", &[5], "main", Quota { bytes: 1, messages: 1 });
    assert_eq!(bench.accept(&[bob(), full]).await.0, Ok(Taken::Queued));
    assert_eq!(bench.backend.queued()[0].recipients, ["bob@north.test", "full@north.test"]);
    assert_eq!((bench.stored(2).await, bench.backend.delivered().len()), (0, 1));
}

#[tokio::test]
async fn an_unknown_outcome_queues_under_the_same_key_so_nothing_is_stored_twice() {
    let bench = bench();
    bench.backend.store.faults.next(&[Fault::AnswerLost]);
    assert_eq!(bench.accept(&[bob()]).await.0, Ok(Taken::Queued));
    let (delivered, queued) = (bench.backend.delivered(), bench.backend.queued());
    assert_eq!(delivered[0].transaction, queued[0].transaction);
    assert_eq!(bench.stored(2).await, 1);
    // What outbound will do.
    let mut transaction = Transaction::new(queued[0].transaction, None, None);
    transaction.add(bob());
    let (_, targets) = transaction.one_shard().unwrap();
    let body = Spooled::from(Bytes::from_static(b"Subject: x\r\n\r\nhello\r\n"));
    let again = DeliverRequest { transaction: queued[0].transaction, targets, body };
    bench.policy.ports.shards[&ShardName::default()].delivery.deliver(again).await.unwrap();
    assert_eq!(bench.stored(2).await, 1);
}

#[tokio::test]
async fn rounds_go_on_until_something_says_yes() {
    let bench = bench();
    bench.backend.store.faults.next(&[Fault::Away, Fault::Away]);
    bench.backend.queue.faults.next(&[Fault::Away, Fault::AnswerLost]);
    assert_eq!(bench.accept(&[bob()]).await.0, Ok(Taken::Delivered));
    assert_eq!((bench.backend.delivered().len(), bench.backend.queued().len()), (3, 2));
}

#[tokio::test]
async fn temporary_failure_only_when_both_stay_away_past_the_budget() {
    let bench = bench();
    bench.backend.store.faults.always(Some(Fault::Away));
    bench.backend.queue.faults.always(Some(Fault::Away));
    let (taken, elapsed) = bench.accept(&[bob()]).await;
    assert_eq!(taken.unwrap_err().reply.code(), 451);
    assert!((Duration::from_secs(110)..=Duration::from_secs(121)).contains(&elapsed), "{elapsed:?}");
    assert!(bench.backend.delivered().len() > 10);
}

#[tokio::test]
async fn what_nobody_will_ever_take_is_answered_at_once() {
    let bench = bench();
    bench.backend.queue.faults.always(Some(Fault::Never));
    let (taken, elapsed) = bench.accept(&[far()]).await;
    assert_eq!(taken.unwrap_err().reply.code(), 451);
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
}
