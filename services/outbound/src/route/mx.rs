//! The order of mail exchangers (RFC 5321 5.1), as pure functions.

use std::net::IpAddr;

use rand::Rng;
use rand::seq::SliceRandom;

/// Most hosts that are looked at: what a hostile zone can make us do.
pub const MAX_HOSTS: usize = 20;

/// One MX record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MxRecord {
    /// Lower is better.
    pub preference: u16,
    /// The host; `.` or empty in a null MX.
    pub host: String,
}

/// A host to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its preference.
    pub preference: u16,
    /// Its name.
    pub name: String,
}

/// The domain says that it takes no mail (RFC 7505).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NullMx;

/// Best preference first, equal ones in random order; without records the domain itself (implicit MX).
///
/// # Errors
/// [`NullMx`].
pub fn order(domain: &str, mut records: Vec<MxRecord>, random: &mut impl Rng) -> Result<Vec<Host>, NullMx> {
    if records.is_empty() {
        return Ok(vec![Host { preference: 0, name: domain.to_owned() }]);
    }
    let is_null = |record: &MxRecord| record.host.trim_end_matches('.').is_empty();
    if records.iter().all(is_null) {
        return Err(NullMx);
    }
    // RFC 7505 3: a null MX beside others is a mistake and counts for nothing.
    records.retain(|record| !is_null(record));
    records.shuffle(random);
    records.sort_by_key(|record| record.preference);
    Ok(records.into_iter().map(|record| Host { preference: record.preference, name: record.host }).collect())
}

/// Keeps the hosts better than ourselves, if we are among them: sending to the others would come back.
pub fn before_ourselves(
    hosts: Vec<(Host, Vec<IpAddr>)>,
    is_us: impl Fn(&str, &[IpAddr]) -> bool,
) -> Vec<(Host, Vec<IpAddr>)> {
    let own = hosts.iter().filter(|(host, at)| is_us(&host.name, at)).map(|(host, _)| host.preference).min();
    hosts.into_iter().filter(|(host, _)| own.is_none_or(|own| host.preference < own)).collect()
}

/// One of each in turn, as neither protocol may be broken everywhere.
pub fn in_turn(six: Vec<IpAddr>, four: Vec<IpAddr>) -> Vec<IpAddr> {
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    let mut all = Vec::new();
    loop {
        let before = all.len();
        all.extend(six.next());
        all.extend(four.next());
        if all.len() == before {
            return all;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn record(preference: u16, host: &str) -> MxRecord {
        MxRecord { preference, host: host.to_owned() }
    }

    fn ordered(records: &[MxRecord], seed: u64) -> Vec<String> {
        let hosts = order("d.test", records.to_vec(), &mut StdRng::seed_from_u64(seed)).unwrap();
        hosts.into_iter().map(|host| host.name).collect()
    }

    #[test]
    fn rfc5321_5_1_preference_decides_and_chance_among_equals() {
        let records = [record(20, "c."), record(10, "a."), record(10, "b.")];
        let orders: BTreeSet<Vec<String>> = (0..50).map(|seed| ordered(&records, seed)).collect();
        let expected = [vec!["a.", "b.", "c."], vec!["b.", "a.", "c."]];
        assert_eq!(orders.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn without_records_the_domain_itself_is_the_host() {
        assert_eq!(ordered(&[], 0), ["d.test"]);
    }

    #[test]
    fn rfc7505_null_mx() {
        let mut random = StdRng::seed_from_u64(0);
        assert_eq!(order("d.test", vec![record(0, ".")], &mut random), Err(NullMx));
        assert_eq!(ordered(&[record(0, "."), record(10, "a.")], 0), ["a."]);
    }

    #[test]
    fn only_hosts_better_than_ourselves_are_left() {
        let host = |preference, name: &str| (Host { preference, name: name.to_owned() }, Vec::new());
        let names = |hosts: Vec<(Host, Vec<IpAddr>)>| {
            hosts.into_iter().map(|(host, _)| host.name).collect::<Vec<_>>()
        };
        let hosts = vec![host(5, "best"), host(10, "us"), host(10, "equal"), host(20, "worse")];
        assert_eq!(names(before_ourselves(hosts.clone(), |name, _| name == "us")), ["best"]);
        assert_eq!(names(before_ourselves(hosts, |_, _| false)), ["best", "us", "equal", "worse"]);
        assert!(before_ourselves(vec![host(5, "us"), host(9, "x")], |name, _| name == "us").is_empty());
    }

    #[test]
    fn families_take_turns() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let all = in_turn(vec![ip("::1")], vec![ip("192.0.2.1"), ip("192.0.2.2")]);
        assert_eq!(all, [ip("::1"), ip("192.0.2.1"), ip("192.0.2.2")]);
    }
}
