//! `date-time` of RFC 5322 3.3, with the obsolete forms of 4.3.

use chrono::{DateTime, FixedOffset, NaiveDate, TimeZone};

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// Longest value that is looked at.
const MAX_DATE: usize = 256;

/// Parses a `Date` field's value; `None` if it is no date.
///
/// Two-digit years, missing seconds, comments, zone names and a missing zone (UTC) are understood.
#[must_use]
pub fn parse_date(value: &[u8]) -> Option<DateTime<FixedOffset>> {
    let text = without_comments(value.get(..MAX_DATE.min(value.len()))?);
    let mut words = text.split([' ', '\t', ',']).filter(|w| !w.is_empty()).peekable();
    if words.peek()?.starts_with(|c: char| c.is_ascii_alphabetic()) {
        words.next();
    }
    let day = words.next()?.parse().ok()?;
    let month = month(words.next()?)?;
    let year = year(words.next()?)?;
    let mut time = words.next()?.split(':');
    let hour: u32 = time.next()?.parse().ok()?;
    let minute: u32 = time.next()?.parse().ok()?;
    let second: u32 = time.next().map_or(Some(0), |s| s.parse().ok())?;
    let offset = words.next().map_or(Some(0), zone)?;
    // A leap second is shown as the second before it.
    let naive = NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(hour, minute, second.min(59))?;
    if second > 60 {
        return None;
    }
    FixedOffset::east_opt(offset)?.from_local_datetime(&naive).single()
}

fn without_comments(value: &[u8]) -> String {
    let mut depth = 0_usize;
    let mut text = String::with_capacity(value.len());
    for &b in value {
        match b {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            b'\r' | b'\n' => text.push(' '),
            _ => text.push(char::from(b)),
        }
    }
    text
}

fn month(word: &str) -> Option<u32> {
    let index = MONTHS.iter().position(|m| word.get(..3).is_some_and(|w| w.eq_ignore_ascii_case(m)))?;
    u32::try_from(index + 1).ok()
}

/// RFC 5322 4.3: two digits below 50 are 2000 and up, other two or three digits count from 1900.
fn year(word: &str) -> Option<i32> {
    if !word.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i32 = word.parse().ok()?;
    Some(match (word.len(), number) {
        (2, 0..50) => number + 2000,
        (2 | 3, _) => number + 1900,
        (4, _) => number,
        _ => return None,
    })
}

/// The zone as seconds east of UTC; unknown names count as UTC (RFC 5322 4.3).
fn zone(word: &str) -> Option<i32> {
    let hours = match word.to_ascii_uppercase().as_str() {
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        _ => return numeric_zone(word),
    };
    Some(hours * 3600)
}

fn numeric_zone(word: &str) -> Option<i32> {
    let sign = match word.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return Some(0),
    };
    let digits = word.get(1..).filter(|d| d.len() == 4 && d.bytes().all(|b| b.is_ascii_digit()))?;
    let number: i32 = digits.parse().ok()?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<String> {
        parse_date(text.as_bytes()).map(|d| d.to_rfc3339())
    }

    #[test]
    fn modern_and_obsolete_forms() {
        for (text, expected) in [
            ("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00"),
            ("1 Feb 2024 1:02 GMT", "2024-02-01T01:02:00+00:00"),
            ("21 Nov 97 09:55:06 EST", "1997-11-21T09:55:06-05:00"),
            ("Fri, 21 Nov 07 09(comment):55:06 Z", "2007-11-21T09:55:06+00:00"),
            ("Mon,\r\n 3 June 2024 10:00:60 +0530 (IST)", "2024-06-03T10:00:59+05:30"),
            ("3 Jun 2024 10:00:00", "2024-06-03T10:00:00+00:00"),
        ] {
            assert_eq!(parse(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "yesterday", "32 Jan 2024 10:00", "1 Foo 2024 10:00", "1 Jan 2024 25:00", "Fri"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
