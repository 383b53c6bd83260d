//! `list-wildcards` (RFC 3501 6.3.8): `*` matches anything, `%` anything but the hierarchy delimiter (pure).

use staffetta_mailstore_api::MailboxName;

/// Reference and pattern of LIST or LSUB, joined.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<char>);

impl Pattern {
    /// "The reference name ... the name of a mailbox or a level of mailbox hierarchy by which the mailbox name is interpreted"
    /// (RFC 3501 6.3.8): we prepend it. INBOX as the first level matches without regard to case.
    pub(super) fn new(reference: &str, pattern: &str) -> Self {
        let joined = format!("{reference}{pattern}");
        let end = joined.find([MailboxName::DELIMITER, '*', '%']).unwrap_or(joined.len());
        let complete = joined[end..].chars().next().is_none_or(|next| next == MailboxName::DELIMITER);
        if complete && joined[..end].eq_ignore_ascii_case("INBOX") {
            return Self(format!("INBOX{}", &joined[end..]).chars().collect());
        }
        Self(joined.chars().collect())
    }

    /// Whether a full name matches. Linear in pattern times name, whatever the wildcards.
    pub(super) fn matches(&self, name: &str) -> bool {
        // `reached[n]`: the pattern up to here matches the first n characters.
        let name: Vec<char> = name.chars().collect();
        let mut reached = vec![false; name.len() + 1];
        reached[0] = true;
        for &wanted in &self.0 {
            let mut next = vec![false; name.len() + 1];
            match wanted {
                '*' | '%' => {
                    for at in 0..=name.len() {
                        let through = at > 0
                            && next[at - 1]
                            && (wanted == '*' || name[at - 1] != MailboxName::DELIMITER);
                        next[at] = reached[at] || through;
                    }
                }
                _ => {
                    for at in 0..name.len() {
                        next[at + 1] = reached[at] && name[at] == wanted;
                    }
                }
            }
            reached = next;
        }
        reached[name.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(reference: &str, pattern: &str, name: &str) -> bool {
        Pattern::new(reference, pattern).matches(name)
    }

    #[test]
    fn percent_stops_at_the_delimiter_and_star_does_not() {
        assert!(matches("", "%", "Work") && !matches("", "%", "Work/2026"));
        assert!(matches("", "*", "Work/2026") && matches("Work/", "%", "Work/2026"));
        assert!(matches("", "W%/%6", "Work/2026") && !matches("", "W%6", "Work/2026"));
        assert!(matches("", "*6", "Work/2026") && !matches("", "*7", "Work/2026"));
        assert!(!matches("", "", "Work") && matches("", "Work", "Work"));
    }

    #[test]
    fn inbox_matches_in_any_case_others_do_not() {
        assert!(matches("", "inbox", "INBOX") && matches("", "inBox/%", "INBOX/a"));
        assert!(!matches("", "work", "Work") && !matches("", "inbo%", "INBOX"));
    }

    #[test]
    fn many_wildcards_do_not_explode() {
        assert!(!matches("", &"*a".repeat(300), &"a".repeat(299)));
    }
}
