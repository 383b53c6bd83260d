use clap::{CommandFactory as _, Parser as _};

use super::*;

fn parse(line: &str) -> Result<Command, clap::Error> {
    let words = std::iter::once("staffetta").chain(line.split(' '));
    Arguments::try_parse_from(words).map(|arguments| arguments.command)
}

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn platform_and_format_may_stand_anywhere() {
    let words = ["staffetta", "account", "--site", "north", "list", "-o", "json", "--endpoints", "f"];
    let arguments = Arguments::try_parse_from(words).unwrap();
    assert_eq!(arguments.output, Format::Json);
    assert_eq!(arguments.platform.site.as_deref(), Some("north"));
    assert!(arguments.platform.endpoints.is_some());
}

#[test]
fn every_command_is_understood() {
    for line in [
        "domain list",
        "domain show north.test",
        "domain create müller.test",
        "domain catch-all north.test a@north.test",
        "domain catch-all north.test --none",
        "domain delete north.test",
        "account list --domain north.test --usage",
        "account show a@north.test",
        "account create a@north.test --password-file f --quota 10GiB --quota-messages 5",
        "account create --from-file f --skip-existing --jobs 2 --quota unlimited",
        "account password a@north.test --password-file f",
        "account quota a@north.test 500MB --messages 5",
        "account disable a@north.test",
        "account enable a@north.test",
        "account delete a@north.test --yes",
        "alias list --domain north.test",
        "alias create info@north.test a@north.test b@north.test",
        "alias put info@north.test a@north.test",
        "alias delete info@north.test",
        "queue list --from a@north.test --to south.test --limit 0",
        "queue show 0199d3a4-7c1e-7b52-9d58-0c9d2a3f6e71",
        "queue retry 0199d3a4-7c1e-7b52-9d58-0c9d2a3f6e71",
        "queue retry --all",
        "queue cancel 0199d3a47c1e7b529d580c9d2a3f6e71",
        "queue stats",
        "status",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "domain show",
        "domain create -north.test",
        "domain catch-all north.test",
        "domain catch-all north.test a@north.test --none",
        "account create",
        "account create a@north.test --from-file f",
        "account create a@north.test secret",
        "account create a@north.test --password secret",
        "account create a@north.test --skip-existing",
        "account create --from-file f --password-file g",
        "account create --from-file f --jobs 0",
        "account create a@north.test --quota 0",
        "account create nobody",
        "account quota a@north.test",
        "alias create info@north.test",
        "queue show 7",
        "queue retry",
        "queue retry 0199d3a4-7c1e-7b52-9d58-0c9d2a3f6e71 --all",
        "queue cancel",
        "status now",
        "store after-restore",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn the_domain_of_a_command_is_that_of_its_address() {
    let domain = |line| parse(line).unwrap().domain().map(ToString::to_string);
    assert_eq!(domain("account show a@South.test").as_deref(), Some("south.test"));
    assert_eq!(domain("account create a@south.test").as_deref(), Some("south.test"));
    assert_eq!(domain("account list --domain south.test").as_deref(), Some("south.test"));
    assert_eq!(domain("alias put i@south.test a@north.test").as_deref(), Some("south.test"));
    assert_eq!(domain("domain show south.test").as_deref(), Some("south.test"));
    assert_eq!(domain("queue list --to south.test"), None);
}

#[test]
fn every_command_teaches_by_its_help() {
    fn visit(command: &clap::Command, path: &str) {
        for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
            let path = format!("{path} {}", command.get_name());
            if command.get_subcommands().next().is_some() {
                visit(command, &path);
                continue;
            }
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("JSON:"), "{path} does not tell its JSON");
            for example in help.lines().filter(|line| line.starts_with("  staffetta ")) {
                let words = example.split('|').next().unwrap_or_default().split_whitespace();
                assert!(Arguments::try_parse_from(words).is_ok(), "{example}");
            }
        }
    }
    visit(&Arguments::command(), "staffetta");
    let examples = HELP.lines().filter(|line| line.starts_with("  staffetta "));
    for example in examples {
        assert!(Arguments::try_parse_from(example.split_whitespace()).is_ok(), "{example}");
    }
}
