//! Rules of reading bodies.

use futures_util::TryStreamExt;

use super::Fixture;
use super::actor::{Actor, MAIL, uid, uids};
use crate::{BodyChunk, BodyRange, Flags, MailboxId};

async fn chunks(alice: &Actor, mailbox: MailboxId, ranges: &[BodyRange]) -> Vec<BodyChunk> {
    let stream = alice.store.read(&alice.access, mailbox, ranges).await.expect("read");
    stream.try_collect().await.expect("chunks")
}

/// The octets of each range.
fn octets(chunks: &[BodyChunk], ranges: usize) -> Vec<Vec<u8>> {
    let mut octets = vec![Vec::new(); ranges];
    for chunk in chunks {
        octets[chunk.range as usize].extend_from_slice(&chunk.data);
    }
    octets
}

fn range(number: u32, offset: u64, length: Option<u64>) -> BodyRange {
    BodyRange { uid: uid(number), offset, length }
}

/// RFC 3501 6.4.5: a partial beyond the end is cut.
pub async fn ranges_come_in_order_and_are_cut_at_the_end(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("INBOX", "0123456789", Flags::NONE).await;
    alice.append("INBOX", "abcdef", Flags::NONE).await;
    let inbox = alice.mailbox("INBOX").await;
    let ranges = [
        range(2, 1, Some(3)),
        range(1, 0, None),
        range(1, 8, Some(100)),
        range(2, 6, None),
        range(2, 700, Some(u64::MAX)),
        range(1, 3, Some(0)),
        range(2, 5, Some(1)),
    ];
    let chunks = chunks(&alice, inbox, &ranges).await;
    let expected: [&[u8]; 7] = [b"bcd", b"0123456789", b"89", b"", b"", b"", b"f"];
    assert_eq!(octets(&chunks, 7), expected);
    assert!(chunks.is_sorted_by_key(|chunk| chunk.range), "each range whole before the next");
    let ends: Vec<_> = chunks.iter().filter(|chunk| chunk.last).map(|chunk| chunk.range).collect();
    assert_eq!(ends, [0, 1, 2, 3, 4, 5, 6]);
    assert!(chunks.iter().all(|chunk| !chunk.missing));
}

/// It vanished while the client asked.
pub async fn a_missing_message_is_marked_and_the_rest_goes_on(fixture: Fixture) {
    let alice = fixture.actor();
    for text in ["one", "two", "three"] {
        alice.append("INBOX", text, Flags::NONE).await;
    }
    let inbox = alice.mailbox("INBOX").await;
    alice.remove(inbox, &uids(&[2])).await;
    let ranges = [1, 2, 3, 9].map(|number| BodyRange::whole(uid(number)));
    let chunks = chunks(&alice, inbox, &ranges).await;
    assert_eq!(octets(&chunks, 4), [b"one".to_vec(), Vec::new(), b"three".to_vec(), Vec::new()]);
    let missing: Vec<_> =
        chunks.iter().filter(|chunk| chunk.missing).map(|chunk| (chunk.range, chunk.last)).collect();
    assert_eq!(missing, [(1, true), (3, true)]);
}

/// At most 256 KiB each.
pub async fn chunks_are_bounded_and_each_range_ends_once(fixture: Fixture) {
    let alice = fixture.actor();
    let text = "0123456789abcdef".repeat(64 * 1024 + 1);
    alice.append("INBOX", &text, Flags::NONE).await;
    let inbox = alice.mailbox("INBOX").await;
    let ranges = [range(1, 0, None), range(1, 300_001, Some(600_000))];
    let chunks = chunks(&alice, inbox, &ranges).await;
    assert!(chunks.iter().all(|chunk| chunk.data.len() <= 256 * 1024));
    let octets = octets(&chunks, 2);
    assert!(octets[0] == text.as_bytes() && octets[1] == text.as_bytes()[300_001..900_001]);
    let ends: Vec<_> = chunks.iter().enumerate().filter(|(_, chunk)| chunk.last).collect();
    assert_eq!(ends.len(), 2);
    assert_eq!((ends[0].1.range, ends[1].1.range, ends[1].0), (0, 1, chunks.len() - 1));
}

/// Bodies are shared, not owned.
pub async fn a_copy_outlives_its_source(fixture: Fixture) {
    let alice = fixture.actor();
    alice.append("INBOX", MAIL, Flags::NONE).await;
    let inbox = alice.mailbox("INBOX").await;
    alice.copy(inbox, &uids(&[1]), "Archive").await.expect("copy");
    alice.remove(inbox, &uids(&[1])).await;
    let archive = alice.mailbox("Archive").await;
    assert_eq!(alice.read(archive, uid(1)).await, MAIL.as_bytes());
}

/// An empty question.
pub async fn no_ranges_give_no_chunks(fixture: Fixture) {
    let alice = fixture.actor();
    let inbox = alice.mailbox("INBOX").await;
    assert_eq!(chunks(&alice, inbox, &[]).await, []);
}
