use staffetta_chassis::config::parse;

use super::*;

pub(crate) const SMALLEST: &str = r#"
hostname = "mx.north.test"
postmaster = "postmaster@north.test"
[[listeners]]
role = "mx"
listen = { address = "127.0.0.1:0" }
[directory]
target = "dns://directory:7000"
[queue]
target = "dns://outbound:7000"
[shards.main]
target = "dns://mailstore:7000"
"#;

fn read(text: &str) -> Result<Config, String> {
    parse(text, []).map_err(|error| error.to_string())
}

#[test]
fn the_smallest_configuration_gets_the_documented_defaults() {
    let config = read(SMALLEST).unwrap();
    assert_eq!(config.listeners[0].name(), "mx");
    assert_eq!(config.auth.plaintext, PlaintextAuth::Never);
    assert_eq!((config.limits.recipients, config.body.line, config.body.hops), (1_000, 998, 50));
    assert_eq!(config.acceptance.data_reply_budget.as_secs(), 120);
    assert!(!config.trace.accept_header);
}

#[test]
fn settings_that_break_the_protocol_are_refused_by_name() {
    for (more, key) in [
        ("[limits]\nrecipients = 99", "limits.recipients"),
        ("[limits]\nerrors = 0", "limits.errors"),
        ("[body]\nline = 997", "body.line"),
        ("[body]\nsize = 1", "body.size"),
        ("[limits]\nrecipient = 1000", "limits.recipient"),
        ("[[listeners]]\nrole = \"mx\"\nlisten = { address = \"127.0.0.1:0\" }", "listeners.1.name"),
        ("[[listeners]]\nrole = \"submissions\"\nlisten = { address = \"127.0.0.1:0\" }", "tls"),
    ] {
        let error = read(&format!("{SMALLEST}\n{more}")).unwrap_err();
        assert!(error.starts_with(&format!("{key}: ")), "{error}");
    }
}
