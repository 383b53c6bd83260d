//! Search keys on the wire.

use chrono::NaiveDate;
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::search_key::Key;

use super::{Malformed, from_runs, required, to_runs};
use crate::{HeaderMatch, Keyword, ModSeq, SearchKey, SystemFlag};

/// The key must have passed [`SearchKey::check`]: its depth is the stack's.
pub(in crate::grpc) fn to_key(key: &SearchKey) -> proto::SearchKey {
    let list = |keys: &[SearchKey]| proto::SearchKeyList { keys: keys.iter().map(to_key).collect() };
    let key = match key {
        SearchKey::All => Key::All(true),
        SearchKey::Uids(uids) => Key::Uids(proto::UidSet { runs: to_runs(uids) }),
        SearchKey::Flag(flag) => Key::Flag(u32::from(*flag as u8)),
        SearchKey::Keyword(keyword) => Key::Keyword(keyword.as_str().to_owned()),
        SearchKey::Before(date) => Key::Before(to_day(*date)),
        SearchKey::On(date) => Key::On(to_day(*date)),
        SearchKey::Since(date) => Key::Since(to_day(*date)),
        SearchKey::SentBefore(date) => Key::SentBefore(to_day(*date)),
        SearchKey::SentOn(date) => Key::SentOn(to_day(*date)),
        SearchKey::SentSince(date) => Key::SentSince(to_day(*date)),
        SearchKey::Larger(size) => Key::Larger(*size),
        SearchKey::Smaller(size) => Key::Smaller(*size),
        SearchKey::ModSeq(modseq) => Key::Modseq(modseq.0),
        SearchKey::Header(wanted) => {
            Key::Header(proto::HeaderMatch { field: wanted.field.clone(), text: wanted.text.clone() })
        }
        SearchKey::Body(text) => Key::Body(text.clone()),
        SearchKey::Text(text) => Key::Text(text.clone()),
        SearchKey::Not(key) => Key::Not(Box::new(to_key(key))),
        SearchKey::And(keys) => Key::And(list(keys)),
        SearchKey::Or(keys) => Key::Or(list(keys)),
    };
    proto::SearchKey { key: Some(key) }
}

/// prost reads at most 100 levels, so the recursion is bounded.
pub(in crate::grpc) fn from_key(key: proto::SearchKey) -> Result<SearchKey, Malformed> {
    let list = |list: proto::SearchKeyList| list.keys.into_iter().map(from_key).collect::<Result<_, _>>();
    Ok(match required(key.key)? {
        Key::All(_) => SearchKey::All,
        Key::Uids(uids) => SearchKey::Uids(from_runs(&uids.runs)?),
        Key::Flag(flag) => SearchKey::Flag(from_flag(flag)?),
        Key::Keyword(keyword) => {
            SearchKey::Keyword(Keyword::try_from(keyword).map_err(|_| Malformed("not a keyword"))?)
        }
        Key::Before(day) => SearchKey::Before(from_day(day)?),
        Key::On(day) => SearchKey::On(from_day(day)?),
        Key::Since(day) => SearchKey::Since(from_day(day)?),
        Key::SentBefore(day) => SearchKey::SentBefore(from_day(day)?),
        Key::SentOn(day) => SearchKey::SentOn(from_day(day)?),
        Key::SentSince(day) => SearchKey::SentSince(from_day(day)?),
        Key::Larger(size) => SearchKey::Larger(size),
        Key::Smaller(size) => SearchKey::Smaller(size),
        Key::Modseq(modseq) => SearchKey::ModSeq(ModSeq(modseq)),
        Key::Header(wanted) => SearchKey::Header(HeaderMatch { field: wanted.field, text: wanted.text }),
        Key::Body(text) => SearchKey::Body(text),
        Key::Text(text) => SearchKey::Text(text),
        Key::Not(key) => SearchKey::Not(Box::new(from_key(*key)?)),
        Key::And(keys) => SearchKey::And(list(keys)?),
        Key::Or(keys) => SearchKey::Or(list(keys)?),
    })
}

fn from_flag(bit: u32) -> Result<SystemFlag, Malformed> {
    let mut flags = SystemFlag::ALL.into_iter();
    flags.find(|flag| u32::from(*flag as u8) == bit).ok_or(Malformed("unknown flag"))
}

/// Days since 1970-01-01.
fn to_day(date: NaiveDate) -> i32 {
    date.to_epoch_days()
}

fn from_day(day: i32) -> Result<NaiveDate, Malformed> {
    NaiveDate::from_epoch_days(day).ok_or(Malformed("a day is out of range"))
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn the_deepest_key_survives_the_wire_and_a_deeper_one_is_refused() {
        let mut key = SearchKey::On(NaiveDate::from_ymd_opt(1969, 12, 30).unwrap());
        for _ in 1..SearchKey::MAX_DEPTH {
            key = SearchKey::Or(vec![key]);
        }
        assert!(key.check().is_ok());
        let octets = to_key(&key).encode_to_vec();
        let decoded = proto::SearchKey::decode(octets.as_slice()).unwrap();
        assert_eq!(from_key(decoded), Ok(key.clone()));
        assert!(SearchKey::Not(Box::new(key)).check().is_err());
    }

    #[test]
    fn a_key_without_anything_is_malformed() {
        let empty = proto::SearchKey { key: None };
        assert!(from_key(empty).is_err());
        assert!(from_key(proto::SearchKey { key: Some(Key::Flag(3)) }).is_err());
    }
}
