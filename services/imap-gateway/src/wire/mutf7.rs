//! Modified UTF-7, the encoding of mailbox names (RFC 3501 5.1.3).

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// Decodes a name. `None` if it is not in the one form that [`encode`] gives (so two spellings never name one
/// mailbox), or holds a control character.
pub fn decode(wire: &[u8]) -> Option<String> {
    let mut name = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some(shift) = memchr::memchr(b'&', rest) {
        push_direct(&mut name, &rest[..shift])?;
        let end = shift + memchr::memchr(b'-', &rest[shift..])?;
        match &rest[shift + 1..end] {
            [] => name.push('&'),
            shifted => push_shifted(&mut name, shifted)?,
        }
        rest = &rest[end + 1..];
    }
    push_direct(&mut name, rest)?;
    (!name.contains(char::is_control) && encode(&name).as_bytes() == wire).then_some(name)
}

/// Encodes a name.
pub fn encode(name: &str) -> String {
    let mut wire = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    for c in name.chars() {
        if !matches!(c, ' '..='~') {
            let mut units = [0u16; 2];
            shifted.extend(c.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
            continue;
        }
        flush_shifted(&mut wire, &mut shifted);
        wire.push(c);
        if c == '&' {
            wire.push('-');
        }
    }
    flush_shifted(&mut wire, &mut shifted);
    wire
}

fn flush_shifted(wire: &mut String, shifted: &mut Vec<u8>) {
    if !shifted.is_empty() {
        wire.push('&');
        BASE64.encode_string(&*shifted, wire);
        wire.push('-');
        shifted.clear();
    }
}

fn push_direct(name: &mut String, bytes: &[u8]) -> Option<()> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')).then(|| name.push_str(text))
}

fn push_shifted(name: &mut String, base64: &[u8]) -> Option<()> {
    let octets = BASE64.decode(base64).ok()?;
    let pairs = octets.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let units = pairs.map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    for c in char::decode_utf16(units) {
        name.push(c.ok()?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_answers() {
        for (name, wire) in [
            ("", ""),
            ("INBOX", "INBOX"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("R&D", "R&-D"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("☺!", "&Jjo-!"),
            ("😀", "&2D3eAA-"),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(name));
        }
    }

    #[test]
    fn refuses_what_encode_never_writes() {
        for wire in [
            "&Jjo!",              // shift without end
            "&U,BTFw-&ZeVnLIqe-", // superfluous shift
            "&AGE-",              // a printable letter shifted
            "&Jj-",               // half a unit
            "&2D0-",              // half a surrogate pair
            "&AAo-",              // a line feed
            "caf\u{e9}",
            "a\rb",
        ] {
            assert_eq!(decode(wire.as_bytes()), None, "{wire}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(name in "\\PC{0,40}") {
            prop_assert_eq!(decode(encode(&name).as_bytes()), Some(name));
        }

        #[test]
        fn one_spelling_for_each_name(wire in "[&A-Za-z0-9,+/ -]{0,24}") {
            if let Some(name) = decode(wire.as_bytes()) {
                prop_assert_eq!(encode(&name), wire);
            }
        }
    }
}
