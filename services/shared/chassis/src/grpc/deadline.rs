//! The `grpc-timeout` header: at most eight digits and a unit (gRPC over HTTP/2, "Timeout").

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) const HEADER: HeaderName = HeaderName::from_static("grpc-timeout");
const MAX_DIGITS: u128 = 99_999_999;

/// The time that the caller gave; none when there is no header or it makes no sense.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

pub(super) fn write(headers: &mut HeaderMap, timeout: Duration) {
    let text = if timeout.as_micros() <= MAX_DIGITS {
        format!("{}u", timeout.as_micros())
    } else if timeout.as_millis() <= MAX_DIGITS {
        format!("{}m", timeout.as_millis())
    } else {
        format!("{}S", timeout.as_secs().min(99_999_999))
    };
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(HEADER, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nonsense_is_nothing() {
        for timeout in
            [Duration::ZERO, Duration::from_micros(1), Duration::from_secs(99), Duration::from_secs(3600)]
        {
            let mut headers = HeaderMap::new();
            write(&mut headers, timeout);
            assert_eq!(read(&headers), Some(timeout));
        }
        for nonsense in ["", "S", "5", "-5S", "123456789S", "5x", "é"] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_bytes(nonsense.as_bytes()).unwrap());
            assert_eq!(read(&headers), None, "{nonsense:?}");
        }
    }
}
