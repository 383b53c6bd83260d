//! SEARCH and UID SEARCH (RFC 3501 6.4.4; MODSEQ of RFC 7162 3.1.5).

mod translate;

use std::io;

use staffetta_mailstore_api::SearchRequest;

use self::translate::{Charset, Untranslatable, translate};
use super::{Completion, Output};
use crate::login::Login;
use crate::session::Enabled;
use crate::view::View;
use crate::wire::response::{Code, Writer};
use crate::wire::search::SearchKey;

/// Finds messages among those the client counts.
pub async fn run(
    login: &Login,
    view: &View,
    enabled: &mut Enabled,
    out: &mut dyn Output,
    charset: Option<&str>,
    key: &SearchKey,
    by_uid: bool,
) -> io::Result<Completion> {
    let Some(charset) = Charset::named(charset) else {
        return Ok(Completion::refused(
            Code::BadCharset(&["UTF-8", "US-ASCII"]),
            "This charset is not known",
        ));
    };
    let mentions_modseq = key.mentions_mod_seq();
    enabled.condstore |= mentions_modseq;
    let key = match translate(key, view, charset) {
        Ok(key) => key,
        Err(Untranslatable::NoSuchMessage) => return Ok(Completion::bad("No such message")),
        Err(Untranslatable::BadText) => {
            return Ok(Completion::bad("The text is not in the charset it claims"));
        }
    };
    let request = SearchRequest { mailbox: view.mailbox(), among: view.uids(), key };
    let hits = match login.shard.store.search(&login.access, &request).await {
        Ok(hits) => hits,
        Err(error) => return Ok(Completion::from_error(&error)),
    };
    let modseq = (mentions_modseq && !hits.uids.is_empty()).then_some(hits.highest_modseq.0);
    let mut writer = Writer::new(out.buffer());
    if by_uid {
        writer.search(hits.uids.iter().map(|uid| uid.get()), modseq);
    } else {
        writer.search(hits.uids.iter().filter_map(|uid| view.number(uid)), modseq);
    }
    Ok(Completion::done())
}
