//! Dates and times.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeZone};

use super::cursor::{Cursor, Parsed, Stop};

/// `date = date-text / DQUOTE date-text DQUOTE`, `date-text = date-day "-" date-month "-" date-year`
pub(super) fn date(cursor: &mut Cursor<'_>) -> Parsed<NaiveDate> {
    let text = "expected a date like 1-Feb-2024";
    let quoted = cursor.eat(b'"');
    let day = cursor.number(text)?;
    cursor.expect(b'-', text)?;
    let date = month_and_year(cursor, day, text)?;
    if quoted {
        cursor.expect(b'"', text)?;
    }
    Ok(date)
}

/// `date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE`
pub(super) fn date_time(cursor: &mut Cursor<'_>) -> Parsed<DateTime<FixedOffset>> {
    let text = "expected a date and time like \" 1-Feb-2024 09:05:00 +0100\"";
    cursor.expect(b'"', text)?;
    // date-day-fixed = (SP DIGIT) / 2DIGIT
    let day = if cursor.eat(b' ') { cursor.digits(1, text)? } else { cursor.digits(2, text)? };
    cursor.expect(b'-', text)?;
    let date = month_and_year(cursor, day, text)?;
    cursor.expect(b' ', text)?;
    let time = time(cursor, text)?;
    cursor.expect(b' ', text)?;
    let zone = zone(cursor, text)?;
    cursor.expect(b'"', text)?;
    zone.from_local_datetime(&date.and_time(time)).single().ok_or(Stop::Malformed(text))
}

/// `date-month "-" date-year`
fn month_and_year(cursor: &mut Cursor<'_>, day: u32, text: &'static str) -> Parsed<NaiveDate> {
    let month = match cursor.letters().as_slice() {
        b"JAN" => 1,
        b"FEB" => 2,
        b"MAR" => 3,
        b"APR" => 4,
        b"MAY" => 5,
        b"JUN" => 6,
        b"JUL" => 7,
        b"AUG" => 8,
        b"SEP" => 9,
        b"OCT" => 10,
        b"NOV" => 11,
        b"DEC" => 12,
        _ => return Err(Stop::Malformed(text)),
    };
    cursor.expect(b'-', text)?;
    let year = i32::try_from(cursor.digits(4, text)?).map_err(|_| Stop::Malformed(text))?;
    NaiveDate::from_ymd_opt(year, month, day).ok_or(Stop::Malformed(text))
}

/// `time = 2DIGIT ":" 2DIGIT ":" 2DIGIT`; a leap second counts as the second before it.
fn time(cursor: &mut Cursor<'_>, text: &'static str) -> Parsed<NaiveTime> {
    let hour = cursor.digits(2, text)?;
    cursor.expect(b':', text)?;
    let minute = cursor.digits(2, text)?;
    cursor.expect(b':', text)?;
    let second = match cursor.digits(2, text)? {
        60 => 59,
        second => second,
    };
    NaiveTime::from_hms_opt(hour, minute, second).ok_or(Stop::Malformed(text))
}

/// `zone = ("+" / "-") 4DIGIT`
fn zone(cursor: &mut Cursor<'_>, text: &'static str) -> Parsed<FixedOffset> {
    let west = cursor.eat(b'-');
    if !west {
        cursor.expect(b'+', text)?;
    }
    let (hours, minutes) = (cursor.digits(2, text)?, cursor.digits(2, text)?);
    if minutes > 59 {
        return Err(Stop::Malformed(text));
    }
    let seconds = i32::try_from(hours * 3600 + minutes * 60).map_err(|_| Stop::Malformed(text))?;
    FixedOffset::east_opt(if west { -seconds } else { seconds }).ok_or(Stop::Malformed(text))
}
