//! LIST and LSUB (RFC 3501 6.3.8, 6.3.9; CHILDREN of RFC 3348, SPECIAL-USE of RFC 6154).

mod pattern;

use std::io;

use staffetta_mailstore_api::{Listing, MailboxName, SpecialUse};

use self::pattern::Pattern;
use super::{Completion, Output};
use crate::login::Login;
use crate::wire::command::ListQuery;
use crate::wire::response::{ListAttribute as Attribute, Writer};

/// LIST
pub async fn list(login: &Login, out: &mut dyn Output, query: &ListQuery) -> io::Result<Completion> {
    if query.pattern.is_empty() {
        // "An empty mailbox name argument is a special request to return the hierarchy delimiter and the root name."
        Writer::new(out.buffer()).list(&[Attribute::NoSelect], Some(MailboxName::DELIMITER), "");
        return Ok(Completion::done());
    }
    let listing = match login.shard.store.list(&login.access).await {
        Ok(listing) => listing,
        Err(error) => return Ok(Completion::from_error(&error)),
    };
    let pattern = Pattern::new(&query.reference, &query.pattern);
    for (attributes, name) in matching(&listing, &pattern) {
        Writer::new(out.buffer()).list(&attributes, Some(MailboxName::DELIMITER), name.as_str());
        out.relieve().await?;
    }
    Ok(Completion::done())
}

/// LSUB
pub async fn lsub(login: &Login, out: &mut dyn Output, query: &ListQuery) -> io::Result<Completion> {
    let listing = match login.shard.store.list(&login.access).await {
        Ok(listing) => listing,
        Err(error) => return Ok(Completion::from_error(&error)),
    };
    let pattern = Pattern::new(&query.reference, &query.pattern);
    for (name, subscribed) in subscribed(&listing.subscriptions, &pattern, &query.pattern) {
        let attributes: &[Attribute] = if subscribed { &[] } else { &[Attribute::NoSelect] };
        Writer::new(out.buffer()).lsub(attributes, Some(MailboxName::DELIMITER), &name);
        out.relieve().await?;
    }
    Ok(Completion::done())
}

/// Mailboxes that match, in name order, each with its attributes.
fn matching<'a>(listing: &'a Listing, pattern: &Pattern) -> Vec<(Vec<Attribute>, &'a MailboxName)> {
    let matching = listing.mailboxes.iter().filter(|mailbox| pattern.matches(mailbox.name.as_str()));
    let described = matching.map(|mailbox| {
        let mut attributes = Vec::with_capacity(3);
        if !mailbox.selectable {
            attributes.push(Attribute::NoSelect);
        }
        let has_children = listing.mailboxes.iter().any(|other| other.name.is_below(&mailbox.name));
        attributes.push(if has_children { Attribute::HasChildren } else { Attribute::HasNoChildren });
        attributes.extend(mailbox.special_use.map(|special_use| match special_use {
            SpecialUse::Archive => Attribute::Archive,
            SpecialUse::Drafts => Attribute::Drafts,
            SpecialUse::Junk => Attribute::Junk,
            SpecialUse::Sent => Attribute::Sent,
            SpecialUse::Trash => Attribute::Trash,
        }));
        (attributes, &mailbox.name)
    });
    described.collect()
}

/// Names to show, and whether each is subscribed itself. "If the '%' wildcard is used and foo/bar is subscribed but foo is not,
/// foo must be returned with \Noselect" (RFC 3501 6.3.9).
fn subscribed(subscriptions: &[MailboxName], pattern: &Pattern, text: &str) -> Vec<(String, bool)> {
    let mut names = std::collections::BTreeMap::new();
    for subscription in subscriptions {
        if pattern.matches(subscription.as_str()) {
            names.insert(subscription.as_str().to_owned(), true);
        } else if text.contains('%') {
            let mut parent = subscription.parent();
            while let Some(name) = parent {
                if pattern.matches(name.as_str()) {
                    names.entry(name.as_str().to_owned()).or_insert(false);
                }
                parent = name.parent();
            }
        }
    }
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lsub_shows_unsubscribed_parents_of_percent_matches() {
        let names = ["Work/2026", "Lists"].map(|name| MailboxName::try_from(name).unwrap());
        let shown = |text: &str| subscribed(&names, &Pattern::new("", text), text);
        assert_eq!(shown("%"), vec![("Lists".to_owned(), true), ("Work".to_owned(), false)]);
        assert_eq!(shown("*"), vec![("Lists".to_owned(), true), ("Work/2026".to_owned(), true)]);
    }
}
