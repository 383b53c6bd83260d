use super::*;

fn parse(text: &str) -> Result<String, AddressError> {
    Address::parse(text).map(|a| a.to_string())
}

#[test]
fn domain_is_lower_cased_and_local_part_keeps_its_case() {
    assert_eq!(parse("Al.Ice@NORTH.Test").as_deref(), Ok("Al.Ice@north.test"));
}

#[test]
fn unicode_domain_becomes_a_labels() {
    assert_eq!(parse("a@Bücher.example").as_deref(), Ok("a@xn--bcher-kva.example"));
}

#[test]
fn quoted_local_part_is_unquoted_and_quoted_again_only_where_needed() {
    let plain = Address::parse("\"alice\"@x.test").unwrap();
    assert_eq!(plain.to_string(), "alice@x.test");
    let odd = Address::parse(r#""a \"b\"@ c"@x.test"#).unwrap();
    assert_eq!(odd.local(), r#"a "b"@ c"#);
    assert_eq!(odd.to_string(), r#""a \"b\"@ c"@x.test"#);
    assert_eq!(Address::parse(&odd.to_string()), Ok(odd));
}

#[test]
fn malformed_addresses_are_refused() {
    for (text, error) in [
        ("alice", AddressError::MissingDomain),
        ("alice@", AddressError::MissingDomain),
        ("@x.test", AddressError::MissingLocalPart),
        ("\"\"@x.test", AddressError::MissingLocalPart),
        ("a..b@x.test", AddressError::LocalPart),
        (".a@x.test", AddressError::LocalPart),
        ("a b@x.test", AddressError::LocalPart),
        ("\"a@x.test", AddressError::LocalPart),
        ("\"a\u{7}\"@x.test", AddressError::LocalPart),
        ("ä@x.test", AddressError::LocalPart),
        ("a@x..test", AddressError::Domain),
        ("a@-x.test", AddressError::Domain),
        ("a@x test", AddressError::Domain),
        ("a@x.test\r\n", AddressError::Domain),
        ("a@b@c", AddressError::Domain),
        ("a@[1.2.3]", AddressError::Domain),
    ] {
        assert_eq!(parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn rfc5321_4_5_3_1_length_limits() {
    let local = "l".repeat(64);
    assert!(Address::parse(&format!("{local}@x.test")).is_ok());
    assert_eq!(parse(&format!("{local}l@x.test")), Err(AddressError::TooLong));
    let label = "d".repeat(63);
    let domain = format!("{label}.{label}.{label}.{}", "d".repeat(59));
    assert_eq!(parse(&format!("{local}@{domain}")), Err(AddressError::TooLong));
}

#[test]
fn address_literals() {
    assert_eq!(parse("a@[192.0.2.1]").as_deref(), Ok("a@[192.0.2.1]"));
    let v6 = Address::parse("a@[ipv6:2001:DB8::1]").unwrap();
    assert_eq!(v6.domain().as_str(), "[IPv6:2001:db8::1]");
    assert_eq!(v6.domain().literal(), Some("2001:db8::1".parse().unwrap()));
}

#[test]
fn path_skips_source_route_and_knows_the_null_sender() {
    assert_eq!(Address::parse_path("<>"), Ok(None));
    let routed = Address::parse_path("<@a.test,@b.test:c@d.test>").unwrap().unwrap();
    assert_eq!(routed.to_string(), "c@d.test");
    assert_eq!(Address::parse_path("a@b.test"), Err(AddressError::Path));
    assert_eq!(Address::parse_path("<Postmaster>"), Err(AddressError::MissingDomain));
}

#[test]
fn subaddress_is_split_at_the_first_plus() {
    assert_eq!(split_subaddress("user+tag+x"), ("user", Some("tag+x")));
    assert_eq!(split_subaddress("+x"), ("+x", None));
    assert_eq!(split_subaddress("user"), ("user", None));
}
