//! Message flags and keywords (RFC 3501 2.3.2).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A flag that IMAP defines; `\Recent` is not one of them, it belongs to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum SystemFlag {
    /// `\Seen`
    Seen = 1,
    /// `\Answered`
    Answered = 2,
    /// `\Flagged`
    Flagged = 4,
    /// `\Deleted`
    Deleted = 8,
    /// `\Draft`
    Draft = 16,
}

impl SystemFlag {
    /// Every system flag.
    pub const ALL: [Self; 5] = [Self::Seen, Self::Answered, Self::Flagged, Self::Deleted, Self::Draft];

    /// The name on the wire, with its backslash.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seen => "\\Seen",
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Draft => "\\Draft",
        }
    }
}

/// A user-defined flag: an atom of at most 100 octets; compared without regard to case, kept as first written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Keyword(String);

impl Keyword {
    /// Longest keyword in octets.
    pub const MAX_LENGTH: usize = 100;

    /// The keyword as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Keyword {
    type Error = InvalidKeyword;

    /// flag-keyword = atom (RFC 3501 9)
    fn try_from(name: String) -> Result<Self, InvalidKeyword> {
        let atom = !name.is_empty()
            && name.len() <= Self::MAX_LENGTH
            && name.bytes().all(|octet| octet.is_ascii_graphic() && !b"(){%*\"\\]".contains(&octet));
        if atom { Ok(Self(name)) } else { Err(InvalidKeyword) }
    }
}

impl From<Keyword> for String {
    fn from(keyword: Keyword) -> Self {
        keyword.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl PartialOrd for Keyword {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Keyword {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0
            .bytes()
            .map(|octet| octet.to_ascii_lowercase())
            .cmp(other.0.bytes().map(|octet| octet.to_ascii_lowercase()))
    }
}

impl std::hash::Hash for Keyword {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for octet in self.0.bytes() {
            state.write_u8(octet.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not an atom, or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a keyword is an atom of at most {} octets", Keyword::MAX_LENGTH)]
pub struct InvalidKeyword;

/// The flags of a message: system flags and keywords (sorted, without doubles).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flags {
    system: u8,
    keywords: Vec<Keyword>,
}

impl Flags {
    /// No flag at all.
    pub const NONE: Self = Self { system: 0, keywords: Vec::new() };

    /// From the bits of [`SystemFlag`] and keywords in any order; unknown bits are dropped.
    #[must_use]
    pub fn from_parts(bits: u8, mut keywords: Vec<Keyword>) -> Self {
        keywords.sort();
        keywords.dedup();
        Self { system: bits & 0b1_1111, keywords }
    }

    /// The system flags as bits.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.system
    }

    /// The keywords in order.
    #[must_use]
    pub fn keywords(&self) -> &[Keyword] {
        &self.keywords
    }

    /// Whether no flag is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.system == 0 && self.keywords.is_empty()
    }

    /// Whether the system flag is set.
    #[must_use]
    pub const fn contains(&self, flag: SystemFlag) -> bool {
        self.system & flag as u8 != 0
    }

    /// The system flags that are set.
    pub fn system(&self) -> impl Iterator<Item = SystemFlag> + '_ {
        SystemFlag::ALL.into_iter().filter(|flag| self.contains(*flag))
    }

    /// Sets one system flag.
    pub const fn insert(&mut self, flag: SystemFlag) {
        self.system |= flag as u8;
    }

    /// Sets one keyword.
    pub fn insert_keyword(&mut self, keyword: Keyword) {
        if let Err(at) = self.keywords.binary_search(&keyword) {
            self.keywords.insert(at, keyword);
        }
    }

    /// These flags and those of `other`.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self::from_parts(
            self.system | other.system,
            self.keywords.iter().chain(&other.keywords).cloned().collect(),
        )
    }

    /// These flags without those of `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self {
            system: self.system & !other.system,
            keywords: self
                .keywords
                .iter()
                .filter(|keyword| !other.keywords.contains(keyword))
                .cloned()
                .collect(),
        }
    }
}

impl FromIterator<SystemFlag> for Flags {
    fn from_iter<T: IntoIterator<Item = SystemFlag>>(flags: T) -> Self {
        Self { system: flags.into_iter().fold(0, |bits, flag| bits | flag as u8), keywords: Vec::new() }
    }
}
