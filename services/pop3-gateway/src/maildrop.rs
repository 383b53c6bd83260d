//! The maildrop of a session (RFC 1939 3 and 5): a snapshot that never changes, and the marks on it. Pure.

use staffetta_mailstore_api as mailstore;
use staffetta_mailstore_api::{MailboxId, MaildropMessage, UidSet, UidValidity};

/// A snapshot of INBOX with the marks of DELE.
#[derive(Debug)]
pub struct Maildrop {
    mailbox: MailboxId,
    uid_validity: UidValidity,
    messages: Vec<Entry>,
    /// Messages without a mark, and their octets.
    count: usize,
    octets: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    message: MaildropMessage,
    deleted: bool,
}

/// There is no such message, or it is marked as deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMessage {
    /// The number is none of the snapshot's.
    #[error("no such message, only {0} in maildrop")]
    Unknown(usize),
    /// It is marked.
    #[error("message {0} is deleted")]
    Deleted(u32),
}

impl Maildrop {
    /// The snapshot without marks.
    #[must_use]
    pub fn new(snapshot: &mailstore::Maildrop) -> Self {
        let messages: Vec<Entry> =
            snapshot.messages.iter().map(|message| Entry { message: *message, deleted: false }).collect();
        let octets = messages.iter().map(|entry| entry.message.size).sum();
        let count = messages.len();
        Self { mailbox: snapshot.mailbox, uid_validity: snapshot.uid_validity, messages, count, octets }
    }

    /// INBOX.
    #[must_use]
    pub fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// How many messages have no mark.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many octets the messages without a mark have.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The message with a number, unless it is marked.
    ///
    /// # Errors
    /// [`NoMessage`].
    pub fn message(&self, number: u32) -> Result<MaildropMessage, NoMessage> {
        let entry = self.messages.get(self.index(number)?).ok_or(NoMessage::Unknown(self.messages.len()))?;
        if entry.deleted { Err(NoMessage::Deleted(number)) } else { Ok(entry.message) }
    }

    /// The numbers and messages without a mark, in order.
    pub fn messages(&self) -> impl Iterator<Item = (usize, MaildropMessage)> + '_ {
        self.messages.iter().zip(1..).filter(|(entry, _)| !entry.deleted).map(|(entry, n)| (n, entry.message))
    }

    /// The unique id of RFC 1939 7: the mailbox's generation and the UID, so it is never another message's.
    #[must_use]
    pub fn unique_id(&self, message: MaildropMessage) -> String {
        format!("{}.{}", self.uid_validity.0, message.uid)
    }

    /// Marks a message.
    ///
    /// # Errors
    /// [`NoMessage`].
    pub fn delete(&mut self, number: u32) -> Result<(), NoMessage> {
        let message = self.message(number)?;
        let index = self.index(number)?;
        self.messages[index].deleted = true;
        self.count -= 1;
        self.octets -= message.size;
        Ok(())
    }

    /// Removes all marks.
    pub fn reset(&mut self) {
        for entry in &mut self.messages {
            entry.deleted = false;
        }
        self.count = self.messages.len();
        self.octets = self.messages.iter().map(|entry| entry.message.size).sum();
    }

    /// The marked messages.
    #[must_use]
    pub fn deleted(&self) -> UidSet {
        self.messages.iter().filter(|entry| entry.deleted).map(|entry| entry.message.uid).collect()
    }

    fn index(&self, number: u32) -> Result<usize, NoMessage> {
        let unknown = NoMessage::Unknown(self.messages.len());
        let index = usize::try_from(number).ok().and_then(|n| n.checked_sub(1)).ok_or(unknown)?;
        if index < self.messages.len() { Ok(index) } else { Err(unknown) }
    }
}

#[cfg(test)]
mod tests {
    use staffetta_mailstore_api::{MaildropLease, Uid};

    use super::*;

    fn maildrop() -> Maildrop {
        let messages = [(3, 10), (5, 20), (9, 40)]
            .map(|(uid, size)| MaildropMessage { uid: Uid::new(uid).unwrap(), size })
            .to_vec();
        Maildrop::new(&mailstore::Maildrop {
            lease: MaildropLease(uuid::Uuid::nil()),
            mailbox: MailboxId(1),
            uid_validity: UidValidity(7),
            messages,
        })
    }

    #[test]
    fn marks_hide_messages_and_keep_the_numbers_of_the_others() {
        let mut maildrop = maildrop();
        maildrop.delete(2).unwrap();
        assert_eq!((maildrop.count(), maildrop.octets()), (2, 50));
        assert_eq!(maildrop.messages().map(|(n, _)| n).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(maildrop.message(2), Err(NoMessage::Deleted(2)));
        assert_eq!(maildrop.delete(2), Err(NoMessage::Deleted(2)));
        assert_eq!(maildrop.deleted().iter().map(Uid::get).collect::<Vec<_>>(), [5]);
        maildrop.reset();
        assert_eq!((maildrop.count(), maildrop.octets()), (3, 70));
        assert!(maildrop.deleted().is_empty());
    }

    #[test]
    fn numbers_outside_the_snapshot_name_nothing() {
        let mut maildrop = maildrop();
        for number in [0, 4, u32::MAX] {
            assert_eq!(maildrop.message(number), Err(NoMessage::Unknown(3)));
            assert_eq!(maildrop.delete(number), Err(NoMessage::Unknown(3)));
        }
        assert_eq!(maildrop.unique_id(maildrop.message(3).unwrap()), "7.9");
    }
}
