//! Sizes as people write them: `10GiB`, `500MB`, `1048576`, `unlimited`.

use std::fmt;
use std::str::FromStr;

/// A limit in octets, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(Option<u64>);

/// Decimal and binary units; a bare letter is binary, as in the settings of other mail servers.
const UNITS: &[(&str, u64)] = &[
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// The largest size: what a database's signed number holds.
const MAX: u64 = i64::MAX as u64;

/// Why a text is not a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not a number with a unit.
    #[error("write a size as 10GiB, 500MB, a number of bytes, or unlimited")]
    Malformed,
    /// Nothing could be stored.
    #[error("zero leaves room for nothing; write unlimited for no limit, or disable the account")]
    Zero,
    /// More than can be counted.
    #[error("the size is too large; write unlimited for no limit")]
    TooLarge,
}

impl Size {
    /// As the ports count: `0` means unlimited.
    #[must_use]
    pub const fn octets(self) -> u64 {
        match self.0 {
            Some(octets) => octets,
            None => 0,
        }
    }

    /// From the ports' number, where `0` means unlimited.
    #[must_use]
    pub const fn from_limit(octets: u64) -> Self {
        match octets {
            0 => Self(None),
            octets => Self(Some(octets)),
        }
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("unlimited") {
            return Ok(Self(None));
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(SizeError::Malformed);
        }
        let unit = unit.trim().to_ascii_lowercase();
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(SizeError::Malformed)?;
        let number: u64 = number.parse().map_err(|_| SizeError::TooLarge)?;
        match number.checked_mul(*factor).filter(|octets| *octets <= MAX).ok_or(SizeError::TooLarge)? {
            0 => Err(SizeError::Zero),
            octets => Ok(Self(Some(octets))),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => out.write_str("unlimited"),
            Some(octets) => out.write_str(&human(octets)),
        }
    }
}

/// Octets in the largest binary unit that leaves a whole part: `10 GiB`, `1.5 MiB`, `812 B`.
#[must_use]
pub fn human(octets: u64) -> String {
    let units = [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let Some((name, factor)) = units.into_iter().find(|(_, factor)| octets >= *factor) else {
        return format!("{octets} B");
    };
    let tenths = u128::from(octets) * 10 / u128::from(factor);
    match tenths % 10 {
        0 => format!("{} {name}", tenths / 10),
        tenth => format!("{}.{tenth} {name}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(text: &str) -> Result<u64, SizeError> {
        text.parse::<Size>().map(Size::octets)
    }

    #[test]
    fn sizes_are_read_in_decimal_and_binary_units() {
        assert_eq!(octets("1048576"), Ok(1 << 20));
        assert_eq!(octets("10GiB"), Ok(10 << 30));
        assert_eq!(octets("500MB"), Ok(500_000_000));
        assert_eq!(octets("500 mb"), Ok(500_000_000));
        assert_eq!(octets("2G"), Ok(2 << 30));
        assert_eq!(octets(" 7b "), Ok(7));
        assert_eq!(octets("Unlimited"), Ok(0));
    }

    #[test]
    fn what_is_no_size_is_refused_with_the_way_out() {
        for wrong in ["", "GiB", "1.5GiB", "-1", "10XB", "10 GiB each", "0x10", "ten"] {
            assert_eq!(octets(wrong), Err(SizeError::Malformed), "{wrong}");
        }
        assert_eq!(octets("0"), Err(SizeError::Zero));
        assert_eq!(octets("0GiB"), Err(SizeError::Zero));
        for large in ["99999999999999999999", "9223372036854775808", "9000000TiB"] {
            assert_eq!(octets(large), Err(SizeError::TooLarge), "{large}");
        }
        assert_eq!(octets("9223372036854775807"), Ok(MAX));
    }

    #[test]
    fn sizes_are_shown_in_the_largest_fitting_unit() {
        assert_eq!(human(0), "0 B");
        assert_eq!(human(1023), "1023 B");
        assert_eq!(human(1536), "1.5 KiB");
        assert_eq!(human(10 << 30), "10 GiB");
        assert_eq!(human(u64::MAX), "16777215.9 TiB");
        assert_eq!(Size::from_limit(0).to_string(), "unlimited");
        assert_eq!(Size::from_limit(5 << 20).to_string(), "5 MiB");
    }
}
