//! Parameters of MAIL: those of SIZE (RFC 1870), 8BITMIME (RFC 6152) and AUTH (RFC 4954), no others.

use super::CommandError;

/// What MAIL said besides the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// Octets the message will have, as the client estimates.
    pub size: Option<u64>,
    /// How the body is encoded.
    pub body: BodyType,
}

/// Value of the BODY parameter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BodyType {
    /// `BODY=7BIT`, also when there is no parameter.
    #[default]
    SevenBit,
    /// `BODY=8BITMIME`.
    EightBitMime,
}

/// `Mail-parameters = esmtp-param *(SP esmtp-param)`.
pub(super) fn mail_parameters(text: &str) -> Result<MailParameters, CommandError> {
    let mut parameters = MailParameters::default();
    let mut body = None;
    let mut auth = None;
    for parameter in text.split_ascii_whitespace() {
        let (keyword, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => once(&mut parameters.size, size(value)?, "SIZE")?,
            "BODY" => once(&mut body, body_type(value)?, "BODY")?,
            // RFC 4954 5: taken and, since no client is trusted to speak for another, treated as `<>`.
            "AUTH" if !value.is_empty() => once(&mut auth, (), "AUTH")?,
            "AUTH" => return Err(CommandError::BadParameter("AUTH")),
            _ => return Err(CommandError::UnknownParameter),
        }
    }
    parameters.body = body.unwrap_or_default();
    Ok(parameters)
}

fn once<T>(slot: &mut Option<T>, value: T, name: &'static str) -> Result<(), CommandError> {
    if slot.replace(value).is_some() { Err(CommandError::BadParameter(name)) } else { Ok(()) }
}

/// `size-value = 1*20DIGIT`.
fn size(value: &str) -> Result<u64, CommandError> {
    let digits = (1..=20).contains(&value.len()) && value.bytes().all(|octet| octet.is_ascii_digit());
    if !digits {
        return Err(CommandError::BadParameter("SIZE"));
    }
    // Twenty digits may exceed 64 bits: that is larger than any limit, not malformed.
    Ok(value.parse().unwrap_or(u64::MAX))
}

fn body_type(value: &str) -> Result<BodyType, CommandError> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(BodyType::SevenBit),
        "8BITMIME" => Ok(BodyType::EightBitMime),
        _ => Err(CommandError::BadParameter("BODY")),
    }
}
