//! Message flags and keywords (RFC 3501 2.3.2).

/// `flag` and `flag-fetch` (RFC 3501 section 9).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    /// `\Seen`
    Seen,
    /// `\Answered`
    Answered,
    /// `\Flagged`
    Flagged,
    /// `\Deleted`
    Deleted,
    /// `\Draft`
    Draft,
    /// `\Recent`: a client may not set it; the parser lets it through and the session ignores it.
    Recent,
    /// `flag-keyword`: an atom, in the client's spelling; compare without case.
    Keyword(String),
    /// `flag-extension`: a system flag no RFC here defines, without its backslash.
    Extension(String),
}

impl Flag {
    /// The system flag whose name (without backslash) is `name`, in any case.
    pub(super) fn from_system_name(name: &str) -> Self {
        let known: [(&str, Self); 6] = [
            ("Seen", Self::Seen),
            ("Answered", Self::Answered),
            ("Flagged", Self::Flagged),
            ("Deleted", Self::Deleted),
            ("Draft", Self::Draft),
            ("Recent", Self::Recent),
        ];
        known
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map_or_else(|| Self::Extension(name.to_owned()), |(_, flag)| flag)
    }
}
