//! SEARCH, evaluated on the stored bytes.

use async_trait::async_trait;
use chrono::NaiveDate;
use staffetta_message::header;
use staffetta_message::skeleton::Skeleton;
use staffetta_message::text::{self, Needle};

use super::MemoryMailstore;
use super::state::Message;
use crate::{Access, HeaderMatch, MailstoreError, Search, SearchHits, SearchKey, SearchRequest, Uid};

/// Octets of one part that are decoded.
const PART_LIMIT: usize = 1024 * 1024;

#[async_trait]
impl Search for MemoryMailstore {
    async fn search(&self, access: &Access, request: &SearchRequest) -> Result<SearchHits, MailstoreError> {
        request.key.check()?;
        self.with_account(access, |account| {
            let mailbox = account.selected(request.mailbox)?;
            let mut hits = SearchHits::default();
            for uid in mailbox.existing(&request.among) {
                let Some(message) = mailbox.messages.get(&uid) else { continue };
                if matches(&request.key, uid, message) {
                    hits.uids.insert(uid);
                    hits.highest_modseq = hits.highest_modseq.max(message.modseq);
                }
            }
            Ok(hits)
        })
    }
}

fn matches(key: &SearchKey, uid: Uid, message: &Message) -> bool {
    let received = message.received_at.date_naive();
    let sent = |test: &dyn Fn(NaiveDate) -> bool| sent_on(message).is_some_and(test);
    match key {
        SearchKey::All => true,
        SearchKey::Uids(uids) => uids.contains(uid),
        SearchKey::Flag(flag) => message.flags.contains(*flag),
        SearchKey::Keyword(keyword) => message.flags.keywords().contains(keyword),
        SearchKey::Before(day) => received < *day,
        SearchKey::On(day) => received == *day,
        SearchKey::Since(day) => received >= *day,
        SearchKey::SentBefore(day) => sent(&|sent| sent < *day),
        SearchKey::SentOn(day) => sent(&|sent| sent == *day),
        SearchKey::SentSince(day) => sent(&|sent| sent >= *day),
        SearchKey::Larger(size) => message.size() > *size,
        SearchKey::Smaller(size) => message.size() < *size,
        SearchKey::ModSeq(modseq) => message.modseq >= *modseq,
        SearchKey::Header(wanted) => has_field(message, wanted),
        SearchKey::Body(text) => body_has(message, &Needle::new(text)),
        SearchKey::Text(text) => {
            let needle = Needle::new(text);
            header_has(message, &needle) || body_has(message, &needle)
        }
        SearchKey::Not(key) => !matches(key, uid, message),
        SearchKey::And(keys) => keys.iter().all(|key| matches(key, uid, message)),
        SearchKey::Or(keys) => keys.iter().any(|key| matches(key, uid, message)),
    }
}

/// The day of the `Date` field as written, time zone disregarded (RFC 3501 6.4.4).
fn sent_on(message: &Message) -> Option<NaiveDate> {
    let date = header::first(message.header(), "date")?;
    header::parse_date(&date).map(|date| date.date_naive())
}

fn has_field(message: &Message, wanted: &HeaderMatch) -> bool {
    let needle = Needle::new(&wanted.text);
    header::fields(message.header()).any(|field| field.is(&wanted.field) && needle.is_in(&field.decoded()))
}

fn header_has(message: &Message, needle: &Needle) -> bool {
    header::fields(message.header()).any(|field| {
        let line = format!("{}: {}", String::from_utf8_lossy(field.name), field.decoded());
        needle.is_in(&line)
    })
}

fn body_has(message: &Message, needle: &Needle) -> bool {
    // The skeleton was encoded by this store, so it decodes.
    let Ok(skeleton) = Skeleton::decode(&message.content.skeleton) else { return false };
    let body = &message.content.body;
    skeleton.leaves().into_iter().filter(|part| part.is_text()).any(|part| {
        let range = part.body_range();
        let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        let octets = bounds.and_then(|(start, end)| body.get(start..end)).unwrap_or_default();
        needle.is_in(&text::decode_part(part, octets, PART_LIMIT))
    })
}
