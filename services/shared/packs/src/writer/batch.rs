//! The loop that forms batches, writes them and sees them committed.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use staffetta_chassis::spool::Spooled;
use tokio::sync::{mpsc, oneshot};

use super::{
    Answer, BodyAddress, Commit, CommitFailure, Entry, Locking, MAX_PACK_AGE, PackConfig, PackName,
    Placement, Submission, SubmitError, Target, Verdict,
};

/// An entry and who waits for its answer. Kept apart so that entries form one slice for the owner.
struct Ready<C: Commit> {
    entries: Vec<Entry<C::Item>>,
    answers: Vec<oneshot::Sender<Answer<C>>>,
}

impl<C: Commit> Default for Ready<C> {
    fn default() -> Self {
        Self { entries: Vec::new(), answers: Vec::new() }
    }
}

impl<C: Commit> Ready<C> {
    fn push(&mut self, entry: Entry<C::Item>, answer: oneshot::Sender<Answer<C>>) {
        self.entries.push(entry);
        self.answers.push(answer);
    }

    fn append(&mut self, mut other: Self) {
        self.entries.append(&mut other.entries);
        self.answers.append(&mut other.answers);
    }

    fn split_half(&mut self) -> Self {
        let half = self.entries.len() / 2;
        Self { entries: self.entries.split_off(half), answers: self.answers.split_off(half) }
    }

    fn fail(self, error: impl Fn() -> SubmitError<C::Error>) {
        for answer in self.answers {
            let _ = answer.send(Err(error()));
        }
    }
}

/// What a finished piece of work leaves behind.
struct Done<C: Commit> {
    lane: bool,
    later: Ready<C>,
}

/// The writer's only task. All batches under way are polled by it.
pub(super) struct Batcher<C: Commit> {
    work: Arc<Work<C>>,
    config: PackConfig,
    in_flight: usize,
}

struct Work<C: Commit> {
    target: Target,
    commit: Arc<C>,
}

impl<C: Commit> Batcher<C> {
    pub(super) fn new(target: Target, commit: Arc<C>, config: PackConfig, in_flight: usize) -> Self {
        Self { work: Arc::new(Work { target, commit }), config, in_flight }
    }

    pub(super) async fn run(self, mut arrivals: mpsc::Receiver<Submission<C>>) {
        let mut queue = VecDeque::new();
        let mut running = FuturesUnordered::new();
        let (mut batches, mut lane, mut open) = (0, false, true);
        let mut stragglers = Ready::default();
        loop {
            while let Some(next) = self.room(&queue).then(|| arrivals.try_recv().ok()).flatten() {
                queue.push_back(next);
            }
            while self.may_start(&queue, batches) {
                let (work, batch) = (self.work.clone(), self.take_batch(&mut queue));
                running.push(async move { work.write(batch).await }.boxed());
                batches += 1;
            }
            if !lane && !stragglers.entries.is_empty() {
                let (work, batch) = (self.work.clone(), std::mem::take(&mut stragglers));
                running.push(async move { work.catch_up(batch).await }.boxed());
                lane = true;
            }
            if !open && running.is_empty() && queue.is_empty() {
                return;
            }
            tokio::select! {
                biased;
                Some(done) = running.next() => {
                    let done: Done<C> = done;
                    if done.lane { lane = false } else { batches -= 1 }
                    stragglers.append(done.later);
                }
                arrived = arrivals.recv(), if open && self.room(&queue) => match arrived {
                    Some(arrived) => queue.push_back(arrived),
                    None => open = false,
                }
            }
        }
    }

    /// The queue holds one batch at most; the rest waits in the channel and pushes back.
    fn room(&self, queue: &VecDeque<Submission<C>>) -> bool {
        queue.len() < self.config.max_batch_items.max(1)
    }

    fn may_start(&self, queue: &VecDeque<Submission<C>>, batches: usize) -> bool {
        match batches {
            0 => !queue.is_empty(),
            _ => batches < self.in_flight && queue.len() >= self.config.overlap_at.max(1),
        }
    }

    fn take_batch(&self, queue: &mut VecDeque<Submission<C>>) -> Vec<Submission<C>> {
        let (mut bytes, mut count) = (0, 0);
        for submission in queue.iter().take(self.config.max_batch_items.max(1)) {
            bytes += submission.body.packed_len();
            if count > 0 && bytes > self.config.max_batch_bytes {
                break;
            }
            count += 1;
        }
        queue.drain(..count).collect()
    }
}

impl<C: Commit> Work<C> {
    /// PUT, then commit what can be locked at once.
    async fn write(&self, batch: Vec<Submission<C>>) -> Done<C> {
        let pack = self.target.new_pack();
        let (ready, pieces) = self.place(batch, &pack).await;
        let put = match ready.entries.iter().any(|entry| entry.address.pack == pack) {
            true => self.target.store.put(&pack.key(&self.target.prefix), &pieces).await,
            false => Ok(()),
        };
        let later = match put {
            Ok(()) => self.commit(ready, Locking::Skip).await,
            Err(error) => {
                // Entries that brought their own pack do not suffer from this one.
                let (failed, unharmed) = partition(ready, |entry| entry.address.pack.id == pack.id);
                failed.fail(|| SubmitError::Store(error.clone()));
                self.commit(unharmed, Locking::Skip).await
            }
        };
        Done { lane: false, later }
    }

    async fn catch_up(&self, stragglers: Ready<C>) -> Done<C> {
        Done { lane: true, later: self.commit(stragglers, Locking::Wait).await }
    }

    /// Lays the bodies out one after the other in a new pack.
    async fn place(&self, batch: Vec<Submission<C>>, pack: &PackName) -> (Ready<C>, Vec<Bytes>) {
        let (mut ready, mut pieces, mut offset) = (Ready::default(), Vec::new(), 0);
        for Submission { body, item, answer } in batch {
            let address = match body {
                Placement::Durable(address) => address,
                Placement::Waiting(body, checksum) => match read_back(&body).await {
                    Err(error) => {
                        let _ = answer.send(Err(SubmitError::Body(Arc::new(error))));
                        continue;
                    }
                    Ok(mut own) => {
                        pieces.append(&mut own);
                        let (pack, len) = (pack.clone(), body.len());
                        offset += len;
                        BodyAddress { pack, offset: offset - len, len, checksum }
                    }
                },
            };
            ready.push(Entry { address, item }, answer);
        }
        (ready, pieces)
    }

    /// Commits, halving on a culprit. Returns what must wait for a lock.
    async fn commit(&self, ready: Ready<C>, locking: Locking) -> Ready<C> {
        let mut later = Ready::default();
        let mut rest = vec![ready];
        while let Some(ready) = rest.pop() {
            let (old, mut ready) = partition(ready, |entry| self.is_stale(entry));
            old.fail(|| SubmitError::Stale);
            if ready.entries.is_empty() {
                continue;
            }
            match self.commit.commit(&ready.entries, locking).await {
                Ok(verdicts) => later.append(settle(ready, verdicts)),
                Err(CommitFailure::Culprit(_)) if ready.entries.len() > 1 => {
                    let second = ready.split_half();
                    rest.extend([second, ready]);
                }
                Err(CommitFailure::Culprit(error) | CommitFailure::All(error)) => {
                    ready.fail(|| SubmitError::Commit(error.clone()));
                }
            }
        }
        later
    }

    fn is_stale(&self, entry: &Entry<C::Item>) -> bool {
        DateTime::<Utc>::from(self.target.clock.now()) - entry.address.pack.id.created_at() > MAX_PACK_AGE
    }
}

fn settle<C: Commit>(ready: Ready<C>, verdicts: Vec<Verdict<C::Output, C::Error>>) -> Ready<C> {
    let mut later = Ready::default();
    debug_assert_eq!(ready.entries.len(), verdicts.len(), "a verdict for every entry");
    for ((entry, answer), verdict) in ready.entries.into_iter().zip(ready.answers).zip(verdicts) {
        match verdict {
            Verdict::Settled(outcome) => {
                let _ = answer.send(outcome.map_err(SubmitError::Commit));
            }
            Verdict::Later => later.push(entry, answer),
        }
    }
    later
}

fn partition<C: Commit>(ready: Ready<C>, first: impl Fn(&Entry<C::Item>) -> bool) -> (Ready<C>, Ready<C>) {
    let (mut yes, mut no) = (Ready::default(), Ready::default());
    for (entry, answer) in ready.entries.into_iter().zip(ready.answers) {
        let side = if first(&entry) { &mut yes } else { &mut no };
        side.push(entry, answer);
    }
    (yes, no)
}

/// The pieces of a small body, which its receiver still holds in memory.
async fn read_back(body: &Spooled) -> std::io::Result<Vec<Bytes>> {
    let pieces: Vec<Bytes> = body.stream().try_collect().await?;
    let read: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
    if read == body.len() { Ok(pieces) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}
