//! How an address is looked up: without regard to case, exact first, then without its `+tag`, then the catch-all.
//!
//! Pure; shared by the implementations so that they cannot disagree.

use staffetta_message::address::{Address, Domain, split_subaddress};

/// The names to look up for one address, in order of precedence: [`Lookup::exact`], [`Lookup::base`], the catch-all of
/// [`Lookup::domain`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The whole address, folded.
    pub exact: Address,
    /// The address without its `+tag` and the tag as the sender wrote it, if it has one.
    pub base: Option<(Address, String)>,
}

impl Lookup {
    /// What to look up for `address`.
    #[must_use]
    pub fn of(address: &Address) -> Self {
        let exact = fold(address);
        let base = match split_subaddress(address.local()) {
            (_, Some(tag)) => Some((exact.without_subaddress(), tag.to_owned())),
            (_, None) => None,
        };
        Self { exact, base }
    }

    /// The domain that is asked.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        self.exact.domain()
    }
}

/// The address with its local part in lower case: the form that is stored, compared and answered.
#[must_use]
pub fn fold(address: &Address) -> Address {
    if !address.local().bytes().any(|b| b.is_ascii_uppercase()) {
        return address.clone();
    }
    // Folding ASCII changes neither length nor validity, so the fallback is never taken.
    Address::new(&address.local().to_ascii_lowercase(), address.domain().clone())
        .unwrap_or_else(|_| address.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn tag_keeps_its_case_and_the_names_are_folded() {
        let lookup = Lookup::of(&address("Alice+Shop@North.Test"));
        assert_eq!(lookup.exact, address("alice+shop@north.test"));
        assert_eq!(lookup.base, Some((address("alice@north.test"), "Shop".to_owned())));
        assert_eq!(lookup.domain().as_str(), "north.test");
    }

    #[test]
    fn address_without_tag_has_no_base() {
        assert_eq!(Lookup::of(&address("alice@north.test")).base, None);
        assert_eq!(Lookup::of(&address("+x@north.test")).base, None);
    }
}
