//! `envelope` (RFC 3501 7.4.2 and section 9).

use bytes::{BufMut, BytesMut};
use staffetta_message::header::ListedAddress;
use staffetta_message::skeleton::Envelope;

use super::text::nstring;

/// `envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP
/// env-bcc SP env-in-reply-to SP env-message-id ")"`
pub(super) fn write(out: &mut BytesMut, envelope: &Envelope<'_>) {
    out.put_u8(b'(');
    nstring(out, envelope.date);
    out.put_u8(b' ');
    nstring(out, envelope.subject);
    for addresses in
        [&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to, &envelope.cc, &envelope.bcc]
    {
        out.put_u8(b' ');
        address_list(out, addresses);
    }
    out.put_u8(b' ');
    nstring(out, envelope.in_reply_to);
    out.put_u8(b' ');
    nstring(out, envelope.message_id);
    out.put_u8(b')');
}

/// `"(" 1*address ")" / nil`
fn address_list(out: &mut BytesMut, addresses: &[ListedAddress]) {
    if addresses.is_empty() {
        return out.put_slice(b"NIL");
    }
    out.put_u8(b'(');
    for address in addresses {
        // address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
        for (before, field) in
            [(b'(', &address.name), (b' ', &address.adl), (b' ', &address.mailbox), (b' ', &address.host)]
        {
            out.put_u8(before);
            nstring(out, field.as_deref());
        }
        out.put_u8(b')');
    }
    out.put_u8(b')');
}
