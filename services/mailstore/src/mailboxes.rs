//! The hierarchy of mailboxes.

use async_trait::async_trait;
use sqlx::PgConnection;
use staffetta_directory_api::AccountId;
use staffetta_mailstore_api::{
    Access, Listing, Mailbox, MailboxId, MailboxName, MailboxStatus, Mailboxes, MailstoreError, OpenRequest,
    Opened, SpecialUse, UidSet,
};

use crate::copy::{self, Move};
use crate::error::{cannot, database, limit};
use crate::expunge::{self, Doomed};
use crate::hints::Hint;
use crate::ranges::{count, small, uid};
use crate::store::{PostgresMailstore, modseq_from, next_modseq};

/// A row of `mailbox`, as LIST needs it; no id: a subscription.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: Option<i64>,
    name: String,
    selectable: bool,
    special_use: Option<i16>,
}

/// An account's hierarchy under its lock.
struct Tree(Vec<(MailboxName, Mailbox)>);

#[async_trait]
impl Mailboxes for PostgresMailstore {
    async fn list(&self, access: &Access) -> Result<Listing, MailstoreError> {
        self.enter(access.account, access.epoch).await?;
        let rows: Vec<Row> = sqlx::query_as(include_str!("sql/mailbox/list.sql"))
            .bind(access.account.0)
            .fetch_all(self.pool())
            .await
            .map_err(|error| database(&error))?;
        let mut listing = Listing::default();
        for row in rows {
            let Ok(name) = MailboxName::try_from(row.name.as_str()) else { continue };
            match row.id {
                Some(id) => listing.mailboxes.push(describe(id, name, row.selectable, row.special_use)),
                None => listing.subscriptions.push(name),
            }
        }
        Ok(listing)
    }

    async fn create(
        &self,
        access: &Access,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<Mailbox, MailstoreError> {
        let account = access.account;
        let mut transaction = self.lock(access).await?;
        let tree = Tree::load(&mut transaction, account).await?;
        let there = tree.find(name);
        match there {
            Some(mailbox) if mailbox.selectable => return Err(MailstoreError::MailboxExists),
            Some(_) => {}
            None => self.room_for(&tree, tree.missing_parents(name).len() + 1)?,
        }
        let modseq = next_modseq(&mut transaction, account).await?;
        // A \Noselect name comes back as a mailbox of a new generation.
        if let Some(old) = there {
            remove(&mut transaction, account, old.id).await?;
        }
        self.make_parents(&mut transaction, account, &tree, name).await?;
        let id = self.make(&mut transaction, account, name, special_use).await?;
        self.commit(transaction, &[Hint::account(account, modseq)]).await?;
        Ok(Mailbox { id, name: name.clone(), selectable: true, special_use })
    }

    async fn rename(
        &self,
        access: &Access,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<(), MailstoreError> {
        let account = access.account;
        let mut transaction = self.lock(access).await?;
        let tree = Tree::load(&mut transaction, account).await?;
        let mailbox = tree.find(from).ok_or(MailstoreError::MailboxNotFound)?;
        if tree.find(to).is_some() {
            return Err(MailstoreError::MailboxExists);
        }
        if to.is_below(from) && !from.is_inbox() {
            return Err(cannot("a mailbox cannot move below itself"));
        }
        self.room_for(&tree, tree.missing_parents(to).len() + usize::from(from.is_inbox()))?;
        let renamed = if from.is_inbox() { Vec::new() } else { tree.renamed(from, to)? };
        let modseq = next_modseq(&mut transaction, account).await?;
        self.make_parents(&mut transaction, account, &tree, to).await?;
        let mut hints = vec![Hint::account(account, modseq)];
        if from.is_inbox() {
            // INBOX stays; its messages get new UIDs in a new mailbox (RFC 3501 6.3.5).
            let target = self.make(&mut transaction, account, to, None).await?;
            let moved = Move { account, from: mailbox.id, to: target, uids: &UidSet::all() };
            let done = copy::relocate(&mut transaction, moved, self.limits()).await?;
            hints.extend(done.hints(account, mailbox.id, target));
        } else {
            let (ids, names): (Vec<i64>, Vec<String>) = renamed.into_iter().unzip();
            sqlx::query(include_str!("sql/mailbox/rename.sql"))
                .bind(account.0)
                .bind(&ids)
                .bind(&names)
                .execute(&mut *transaction)
                .await
                .map_err(|error| database(&error))?;
        }
        self.commit(transaction, &hints).await
    }

    async fn delete(&self, access: &Access, name: &MailboxName) -> Result<(), MailstoreError> {
        if name.is_inbox() {
            return Err(cannot("INBOX cannot be deleted"));
        }
        let account = access.account;
        loop {
            let mut transaction = self.lock(access).await?;
            let tree = Tree::load(&mut transaction, account).await?;
            let mailbox = tree.find(name).ok_or(MailstoreError::MailboxNotFound)?;
            let has_children = tree.0.iter().any(|(other, _)| other.is_below(name));
            if has_children && !mailbox.selectable {
                return Err(cannot("mailbox has children"));
            }
            let doomed =
                Doomed { account, mailbox: mailbox.id, uids: &UidSet::all(), flags: 0, undelete: true };
            let chunk = expunge::chunk(&mut transaction, doomed, self.limits()).await?;
            if !chunk.last {
                let hint = Hint::mailbox(account, mailbox.id, chunk.modseq.unwrap_or_default());
                self.commit(transaction, &[hint]).await?;
                continue;
            }
            if has_children {
                sqlx::query(include_str!("sql/mailbox/unselect.sql"))
                    .bind(account.0)
                    .bind(mailbox.id.0)
                    .execute(&mut *transaction)
                    .await
                    .map_err(|error| database(&error))?;
            } else {
                remove(&mut transaction, account, mailbox.id).await?;
            }
            let modseq = next_modseq(&mut transaction, account).await?;
            let last = Hint::mailbox(account, mailbox.id, modseq);
            let hints = chunk
                .modseq
                .map(|modseq| Hint::mailbox(account, mailbox.id, modseq))
                .into_iter()
                .chain([last]);
            return self.commit(transaction, &hints.collect::<Vec<_>>()).await;
        }
    }

    async fn subscribe(
        &self,
        access: &Access,
        name: &MailboxName,
        subscribed: bool,
    ) -> Result<(), MailstoreError> {
        self.enter(access.account, access.epoch).await?;
        if !subscribed {
            let removal = sqlx::query(include_str!("sql/mailbox/unsubscribe.sql"));
            let removal = removal.bind(access.account.0).bind(name.as_str()).execute(self.pool());
            return removal.await.map(|_| ()).map_err(|error| database(&error));
        }
        let most = self.limits().mailboxes;
        let added = sqlx::query(include_str!("sql/mailbox/subscribe.sql"))
            .bind(access.account.0)
            .bind(name.as_str())
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .execute(self.pool())
            .await
            .map_err(|error| database(&error))?;
        if added.rows_affected() == 0 {
            return Err(limit(format!("at most {most} subscriptions")));
        }
        Ok(())
    }

    async fn status(&self, access: &Access, name: &MailboxName) -> Result<MailboxStatus, MailstoreError> {
        self.enter(access.account, access.epoch).await?;
        let row: Option<StatusRow> = sqlx::query_as(include_str!("sql/mailbox/status.sql"))
            .bind(access.account.0)
            .bind(name.as_str())
            .fetch_optional(self.pool())
            .await
            .map_err(|error| database(&error))?;
        let row = row.ok_or(MailstoreError::MailboxNotFound)?;
        if !row.selectable {
            return Err(cannot("mailbox cannot be selected"));
        }
        Ok(MailboxStatus {
            mailbox: MailboxId(row.id),
            uid_validity: staffetta_mailstore_api::UidValidity(small(row.uid_validity)),
            uid_next: uid(row.uid_next)?,
            highest_modseq: modseq_from(row.highest_modseq),
            messages: small(row.messages),
            unseen: small(row.unseen),
            recent: small(row.recent),
            bytes: count(row.bytes),
        })
    }

    async fn open(&self, access: &Access, request: &OpenRequest) -> Result<Opened, MailstoreError> {
        self.open_mailbox(access, request).await
    }
}

#[derive(Debug, sqlx::FromRow)]
struct StatusRow {
    id: i64,
    selectable: bool,
    uid_validity: i64,
    uid_next: i64,
    highest_modseq: i64,
    messages: i64,
    unseen: i64,
    bytes: i64,
    recent: i64,
}

impl PostgresMailstore {
    fn room_for(&self, tree: &Tree, made: usize) -> Result<(), MailstoreError> {
        let most = self.limits().mailboxes;
        if tree.0.len() + made > most { Err(limit(format!("at most {most} mailboxes"))) } else { Ok(()) }
    }

    async fn make_parents(
        &self,
        connection: &mut PgConnection,
        account: AccountId,
        tree: &Tree,
        name: &MailboxName,
    ) -> Result<(), MailstoreError> {
        for parent in tree.missing_parents(name).iter().rev() {
            self.make(connection, account, parent, None).await?;
        }
        Ok(())
    }

    async fn make(
        &self,
        connection: &mut PgConnection,
        account: AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<MailboxId, MailstoreError> {
        let id = sqlx::query_scalar(include_str!("sql/mailbox/insert.sql"))
            .bind(account.0)
            .bind(name.as_str())
            .bind(special_use.map(special_use_column))
            .bind(self.unix())
            .fetch_one(connection)
            .await
            .map_err(|error| database(&error))?;
        Ok(MailboxId(id))
    }
}

async fn remove(
    connection: &mut PgConnection,
    account: AccountId,
    mailbox: MailboxId,
) -> Result<(), MailstoreError> {
    sqlx::query(include_str!("sql/mailbox/remove.sql"))
        .bind(account.0)
        .bind(mailbox.0)
        .execute(connection)
        .await
        .map_err(|error| database(&error))?;
    Ok(())
}

impl Tree {
    async fn load(connection: &mut PgConnection, account: AccountId) -> Result<Self, MailstoreError> {
        let rows: Vec<Row> = sqlx::query_as(include_str!("sql/mailbox/names.sql"))
            .bind(account.0)
            .fetch_all(connection)
            .await
            .map_err(|error| database(&error))?;
        let named = rows.into_iter().filter_map(|row| {
            let name = MailboxName::try_from(row.name.as_str()).ok()?;
            let mailbox = describe(row.id?, name.clone(), row.selectable, row.special_use);
            Some((name, mailbox))
        });
        Ok(Self(named.collect()))
    }

    fn find(&self, name: &MailboxName) -> Option<&Mailbox> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, mailbox)| mailbox)
    }

    /// The nearest parent first.
    fn missing_parents(&self, name: &MailboxName) -> Vec<MailboxName> {
        std::iter::successors(name.parent(), MailboxName::parent)
            .filter(|parent| self.find(parent).is_none())
            .collect()
    }

    /// Ids and new names of a mailbox and its children.
    fn renamed(&self, from: &MailboxName, to: &MailboxName) -> Result<Vec<(i64, String)>, MailstoreError> {
        let tree = self.0.iter().filter(|(name, _)| name == from || name.is_below(from));
        tree.map(|(name, mailbox)| {
            let below = &name.as_str()[from.as_str().len()..];
            let new = MailboxName::try_from(format!("{to}{below}"));
            new.map(|new| (mailbox.id.0, new.into())).map_err(|_| cannot("a child's name would be too long"))
        })
        .collect()
    }
}

fn describe(id: i64, name: MailboxName, selectable: bool, special_use: Option<i16>) -> Mailbox {
    Mailbox { id: MailboxId(id), name, selectable, special_use: special_use.and_then(special_use_from) }
}

fn special_use_column(special_use: SpecialUse) -> i16 {
    match special_use {
        SpecialUse::Archive => 1,
        SpecialUse::Drafts => 2,
        SpecialUse::Junk => 3,
        SpecialUse::Sent => 4,
        SpecialUse::Trash => 5,
    }
}

fn special_use_from(column: i16) -> Option<SpecialUse> {
    [SpecialUse::Archive, SpecialUse::Drafts, SpecialUse::Junk, SpecialUse::Sent, SpecialUse::Trash]
        .into_iter()
        .find(|special_use| special_use_column(*special_use) == column)
}
