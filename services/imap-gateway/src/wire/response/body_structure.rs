//! `body`: the structure of a message (RFC 3501 7.4.2 and section 9).

use bytes::{BufMut, BytesMut};
use staffetta_message::skeleton::{Content, Disposition, Param, Part};

use super::envelope;
use super::text::{list, nstring, number, string};

/// `body = "(" (body-type-1part / body-type-mpart) ")"`, with extension data for `BODYSTRUCTURE`.
///
/// The recursion is as deep as the skeleton, whose depth is limited when it is made.
pub(super) fn write(out: &mut BytesMut, part: &Part, extended: bool) {
    out.put_u8(b'(');
    match &part.content {
        Content::Multipart(children) => multipart(out, part, children, extended),
        Content::Message { envelope, root } => {
            fields(out, part);
            out.put_u8(b' ');
            envelope::write(out, &envelope.structured());
            out.put_u8(b' ');
            write(out, root, extended);
            out.put_u8(b' ');
            number(out, part.lines);
            single_part_extension(out, part, extended);
        }
        Content::Leaf => {
            fields(out, part);
            if part.is_text() {
                out.put_u8(b' ');
                number(out, part.lines);
            }
            single_part_extension(out, part, extended);
        }
    }
    out.put_u8(b')');
}

/// `body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]`
fn multipart(out: &mut BytesMut, part: &Part, children: &[Part], extended: bool) {
    for child in children {
        write(out, child, extended);
    }
    out.put_u8(b' ');
    string(out, part.media_subtype.as_bytes());
    if extended {
        // body-ext-mpart = body-fld-param [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc]]]
        out.put_u8(b' ');
        params(out, &part.params);
        common_extension(out, part);
    }
}

/// `media-type SP media-subtype SP body-fields`,
/// `body-fields = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP body-fld-octets`
fn fields(out: &mut BytesMut, part: &Part) {
    string(out, part.media_type.as_bytes());
    out.put_u8(b' ');
    string(out, part.media_subtype.as_bytes());
    out.put_u8(b' ');
    params(out, &part.params);
    out.put_u8(b' ');
    nstring(out, part.id.as_deref());
    out.put_u8(b' ');
    nstring(out, part.description.as_deref());
    out.put_u8(b' ');
    string(out, part.encoding.as_deref().unwrap_or("7bit").as_bytes());
    out.put_u8(b' ');
    number(out, part.body_len);
}

/// `body-ext-1part = body-fld-md5 [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc]]]`
fn single_part_extension(out: &mut BytesMut, part: &Part, extended: bool) {
    if extended {
        out.put_u8(b' ');
        nstring(out, part.md5.as_deref());
        common_extension(out, part);
    }
}

/// `SP body-fld-dsp SP body-fld-lang SP body-fld-loc`
fn common_extension(out: &mut BytesMut, part: &Part) {
    out.put_u8(b' ');
    disposition(out, part.disposition.as_ref());
    out.put_u8(b' ');
    match part.language.as_slice() {
        [] => out.put_slice(b"NIL"),
        [only] => string(out, only.as_bytes()),
        several => list(out, several, |out, language| string(out, language.as_bytes())),
    }
    out.put_u8(b' ');
    nstring(out, part.location.as_deref());
}

/// `body-fld-param = "(" string SP string *(SP string SP string) ")" / nil`
fn params(out: &mut BytesMut, params: &[Param]) {
    if params.is_empty() {
        return out.put_slice(b"NIL");
    }
    list(out, params, |out, param| {
        string(out, param.name.as_bytes());
        out.put_u8(b' ');
        string(out, &param.value);
    });
}

/// `body-fld-dsp = "(" string SP body-fld-param ")" / nil`
fn disposition(out: &mut BytesMut, disposition: Option<&Disposition>) {
    let Some(disposition) = disposition else { return out.put_slice(b"NIL") };
    out.put_u8(b'(');
    string(out, disposition.kind.as_bytes());
    out.put_u8(b' ');
    params(out, &disposition.params);
    out.put_u8(b')');
}
