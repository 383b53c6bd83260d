//! Hints between pods, by Redis publish/subscribe. This pod's own subscribers are told directly, so that nothing here
//! depends on Redis being there.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use redis::aio::ConnectionManager;
use serde::Deserialize;
use staffetta_chassis::backoff::Backoff;
use staffetta_chassis::config::Secret;
use staffetta_chassis::tasks::Tasks;
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::{MailboxId, ModSeq};
use tokio::sync::mpsc;

use super::{Hint, HintEvent, Hints, LocalHints};

/// Hints that wait for Redis; more are dropped, the poll brings them.
const QUEUE: usize = 10_000;
/// Hints of one message.
const BATCH: usize = 256;
/// Longest message that is looked at.
const MAX_MESSAGE: usize = 64 * 1024;

/// Where Redis is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisHintsConfig {
    /// `redis://[:password@]host:port` or `rediss://`; a secret.
    pub url: Secret,
    /// Pods of one shard share it, shards on one Redis must not. Default `staffetta:mailstore:hints`.
    #[serde(default = "RedisHintsConfig::default_channel")]
    pub channel: String,
}

impl RedisHintsConfig {
    fn default_channel() -> String {
        "staffetta:mailstore:hints".to_owned()
    }
}

/// The URL cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("redis url cannot be understood")]
pub struct RedisHintsError(#[source] redis::RedisError);

/// See the module.
#[derive(Debug)]
pub struct RedisHints {
    local: LocalHints,
    queue: mpsc::Sender<Hint>,
}

impl RedisHints {
    /// Starts sending and listening; Redis may be away.
    ///
    /// # Errors
    /// A URL that is none.
    pub fn start(config: &RedisHintsConfig, tasks: &Tasks) -> Result<Self, RedisHintsError> {
        let client = redis::Client::open(config.url.expose()).map_err(RedisHintsError)?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        // Our own hints come back from Redis; subscribers have them already.
        let origin: Arc<str> = format!("{:016x}", rand::random::<u64>()).into();
        let channel: Arc<str> = config.channel.as_str().into();
        let local = LocalHints::default();
        tasks.spawn(send(client.clone(), channel.clone(), origin.clone(), waiting));
        tasks.spawn(listen(client, channel, origin, local.clone()));
        Ok(Self { local, queue })
    }
}

impl Hints for RedisHints {
    fn publish(&self, hints: &[Hint]) {
        self.local.publish(hints);
        for hint in hints {
            if self.queue.try_send(*hint).is_err() {
                return;
            }
        }
    }

    fn subscribe(&self) -> BoxStream<'static, HintEvent> {
        self.local.subscribe()
    }
}

async fn send(client: redis::Client, channel: Arc<str>, origin: Arc<str>, mut queue: mpsc::Receiver<Hint>) {
    let mut connection = None;
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        if connection.is_none() {
            connection = ConnectionManager::new(client.clone()).await.ok();
        }
        if let Some(manager) = &mut connection {
            let mut publish = redis::cmd("PUBLISH");
            publish.arg(&*channel).arg(encode(&origin, &batch));
            if let Err(error) = publish.query_async::<()>(manager).await {
                tracing::debug!(%error, "hints not sent");
                connection = None;
            }
        }
        batch.clear();
    }
}

async fn listen(client: redis::Client, channel: Arc<str>, origin: Arc<str>, local: LocalHints) {
    let backoff = Backoff { initial: Duration::from_millis(50), ..Backoff::default() };
    let mut failures = 0;
    loop {
        match subscribe(&client, &channel).await {
            Ok(mut messages) => {
                failures = 0;
                // What was said while nobody listened is lost.
                local.lost();
                while let Some(message) = messages.next().await {
                    let payload = message.get_payload_bytes();
                    match decode(&origin, payload) {
                        Some(hints) => local.publish(&hints),
                        None => local.lost(),
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "no hints from redis"),
        }
        tokio::time::sleep(backoff.delay(failures)).await;
        failures = failures.saturating_add(1);
    }
}

async fn subscribe(
    client: &redis::Client,
    channel: &str,
) -> redis::RedisResult<impl futures_util::Stream<Item = redis::Msg> + use<>> {
    let mut subscription = client.get_async_pubsub().await?;
    subscription.subscribe(channel).await?;
    Ok(subscription.into_on_message())
}

/// `origin` and four numbers per hint, separated by spaces.
fn encode(origin: &str, hints: &[Hint]) -> String {
    let mut message = origin.to_owned();
    for hint in hints {
        let mailbox = hint.mailbox.map_or(0, |mailbox| mailbox.0);
        // Writing to a string cannot fail.
        let _ = write!(message, " {} {mailbox} {} {}", hint.account, hint.modseq.0, u8::from(hint.purged));
    }
    message
}

/// Nothing for what cannot be understood; no hints for our own.
fn decode(origin: &str, payload: &[u8]) -> Option<Vec<Hint>> {
    let text = std::str::from_utf8(payload.get(..MAX_MESSAGE.min(payload.len()))?).ok()?;
    let mut words = text.split(' ');
    if words.next()? == origin {
        return Some(Vec::new());
    }
    let words: Vec<&str> = words.collect();
    let hint = |part: &[&str]| {
        let [account, mailbox, modseq, purged] = part else { return None };
        let mailbox: i64 = mailbox.parse().ok()?;
        Some(Hint {
            account: AccountId(account.parse().ok()?),
            mailbox: (mailbox != 0).then_some(MailboxId(mailbox)),
            modseq: ModSeq(modseq.parse().ok()?),
            purged: *purged == "1",
        })
    };
    words.chunks(4).map(hint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_survive_the_wire_and_our_own_are_skipped() {
        let hints = [
            Hint::mailbox(AccountId(7), MailboxId(3), ModSeq(9)),
            Hint::account(AccountId(8), ModSeq(10)),
            Hint::purged(AccountId(9)),
        ];
        let message = encode("me", &hints);
        assert_eq!(decode("you", message.as_bytes()), Some(hints.to_vec()));
        assert_eq!(decode("me", message.as_bytes()), Some(Vec::new()));
        for junk in [&b"x 1 2"[..], b"", b"\xff", b"x 1 2 3 4 5"] {
            assert!(decode("me", junk).is_none_or(|hints| hints.is_empty()), "{junk:?}");
        }
    }
}
