//! The `staffetta` command against a local platform.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use staffetta_tests::client::smtp::SmtpClient;
use staffetta_tests::client::trust;
use staffetta_tests::local::Local;
use staffetta_tests::{eventually, mail};

use crate::program::{ARRIVAL, Ended, imap, run};

const ALICE: &str = "alice@north.test";
const BOB: &str = "bob@north.test";
const PASSWORD: &str = "staffetta";

async fn platform() -> anyhow::Result<Local> {
    Local::start(&["--no-demo", "--sites", "1"]).await
}

/// Runs the command with `input` on its standard input; it must end with `code`.
async fn ctl_with(local: &Local, line: &str, input: &str, code: i32) -> anyhow::Result<Ended> {
    let mut command = local.ctl();
    command.args(line.split(' '));
    let ended = run(command, input).await?;
    ensure!(ended.code == code, "staffetta {line}: expected {code}, got {ended:?}");
    ensure!((code == 0) == ended.stderr.is_empty(), "staffetta {line}: {ended:?}");
    Ok(ended)
}

async fn ctl(local: &Local, line: &str, code: i32) -> anyhow::Result<Ended> {
    ctl_with(local, line, "", code).await
}

/// What a command that must succeed answers as JSON.
async fn json(local: &Local, line: &str, input: &str) -> anyhow::Result<Value> {
    let ended = ctl_with(local, &format!("{line} --output json"), input, 0).await?;
    serde_json::from_str(&ended.stdout).with_context(|| format!("staffetta {line}: {ended:?}"))
}

/// Authenticated on the submission port with STARTTLS.
async fn submission(local: &Local, login: &str, password: &str) -> anyhow::Result<SmtpClient> {
    let (endpoints, site) = (local.endpoints(), &local.endpoints().sites[0]);
    let mut client = SmtpClient::connect(&site.host, site.submission).await?;
    client.ok("EHLO client.test", 250).await?;
    let mut client = client.start_tls(&trust(&endpoints.ca)?).await?;
    client.login(login, password).await?;
    Ok(client)
}

/// The reply to RCPT on the port for mail from other servers.
async fn rcpt(local: &Local, recipient: &str) -> anyhow::Result<u16> {
    let site = &local.endpoints().sites[0];
    let mut client = SmtpClient::connect(&site.host, site.smtp).await?;
    client.ok("EHLO client.test", 250).await?;
    client.ok("MAIL FROM:<stranger@elsewhere.test>", 250).await?;
    Ok(client.command(&format!("RCPT TO:<{recipient}>")).await?.code)
}

/// Sends a letter from alice and answers its transaction id.
async fn send(local: &Local, recipient: &str) -> anyhow::Result<String> {
    let mut client = submission(local, ALICE, PASSWORD).await?;
    let reply = client.send_mail(ALICE, &[recipient], &mail::message("ctl", ALICE, recipient)).await?;
    Ok(reply.transaction().context("the reply names the transaction")?.to_string())
}

/// How many messages INBOX has.
async fn stored(local: &Local, login: &str, password: &str) -> anyhow::Result<u32> {
    let mut session = imap(local, login, password).await?;
    session.ok("SELECT INBOX").await?.number(" EXISTS").context("no EXISTS")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_accounts_and_aliases_come_and_go() -> anyhow::Result<()> {
    let local = platform().await?;
    let domain = json(&local, "domain create east.test", "").await?;
    ensure!(domain["name"] == "east.test" && domain["catch_all"].is_null(), "{domain}");
    let account = json(&local, "account create ann@east.test --quota 10MiB", "correct horse\n").await?;
    ensure!(account["address"] == "ann@east.test" && account["quota_bytes"] == 10 * 1024 * 1024, "{account}");
    let alias = json(&local, "alias create info@east.test ann@east.test alice@north.test", "").await?;
    ensure!(alias["targets"] == json!(["alice@north.test", "ann@east.test"]), "{alias}");
    ensure!(json(&local, "alias list --domain east.test", "").await?[0] == alias);

    send(&local, "info@east.test").await?;
    eventually::is_ok("the alias leads to both", ARRIVAL, async || {
        let found =
            (stored(&local, ALICE, PASSWORD).await?, stored(&local, "ann@east.test", "correct horse").await?);
        ensure!(found == (1, 1), "{found:?}");
        Ok(())
    })
    .await?;

    ensure!(rcpt(&local, "unknown@east.test").await? == 550);
    json(&local, "domain catch-all east.test ann@east.test", "").await?;
    becomes(&local, "unknown@east.test", 250).await?;
    json(&local, "domain catch-all east.test --none", "").await?;
    becomes(&local, "unknown@east.test", 550).await?;

    ctl(&local, "domain delete east.test", 73).await?;
    json(&local, "alias delete info@east.test", "").await?;
    becomes(&local, "info@east.test", 550).await?;
    let deleted = json(&local, "account delete ann@east.test --yes", "").await?;
    ensure!(deleted["removed_messages"] == 1, "{deleted}");
    ensure!(json(&local, "domain delete east.test", "").await? == json!({ "deleted": "east.test" }));
    ctl(&local, "domain show east.test", 67).await?;
    let names = json(&local, "domain list", "").await?;
    ensure!(names.as_array().is_some_and(|names| names.len() == 1), "{names}");
    local.stop().await
}

/// Waits until RCPT is answered so: what is known of an address may be remembered for a moment.
async fn becomes(local: &Local, recipient: &str, code: u16) -> anyhow::Result<()> {
    eventually::is_ok("the reply to RCPT changes", ARRIVAL, async || {
        let found = rcpt(local, recipient).await?;
        ensure!(found == code, "RCPT TO:<{recipient}> is answered {found}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_lines_of_a_file_become_accounts_and_bad_ones_are_told() -> anyhow::Result<()> {
    let local = platform().await?;
    let file = local.folder().join("people.csv");
    std::fs::write(
        &file,
        "# people\nann@north.test,correct horse,10MiB\n\nnot an address,correct horse\n\
         ben@north.test,\"with, a comma and a \"\" quote\"\nalice@north.test,exists already\n",
    )?;
    let line = format!("account create --output json --from-file {}", file.display());
    let summary: Value = serde_json::from_str(&ctl(&local, &line, 65).await?.stdout)?;
    ensure!((&summary["created"], &summary["not_tried"]) == (&json!(2), &json!(0)), "{summary}");
    let failed: Vec<_> = summary["failed"].as_array().context("no failures")?.iter().collect();
    ensure!(failed.iter().map(|line| &line["line"]).eq([&json!(4), &json!(6)]), "{summary}");
    ensure!(failed[1]["address"] == ALICE, "{summary}");

    ensure!(stored(&local, "ann@north.test", "correct horse").await? == 0);
    ensure!(stored(&local, "ben@north.test", "with, a comma and a \\\" quote").await? == 0);
    let shown = json(&local, "account show ann@north.test", "").await?;
    ensure!(
        (&shown["quota_bytes"], &shown["used_messages"]) == (&json!(10 * 1024 * 1024), &json!(0)),
        "{shown}"
    );

    let again = ctl(&local, &format!("{line} --skip-existing"), 65).await?;
    let summary: Value = serde_json::from_str(&again.stdout)?;
    ensure!((&summary["created"], &summary["skipped"]) == (&json!(0), &json!(3)), "{summary}");
    local.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_a_quota_and_a_lock_take_hold() -> anyhow::Result<()> {
    let local = platform().await?;
    ensure!(stored(&local, BOB, PASSWORD).await? == 0);
    json(&local, &format!("account password {BOB}"), "another one\n").await?;
    ensure!(stored(&local, BOB, PASSWORD).await.is_err(), "the old password still logs in");
    ensure!(submission(&local, BOB, PASSWORD).await.is_err(), "the old password still submits");
    ensure!(stored(&local, BOB, "another one").await? == 0);

    let account = json(&local, &format!("account disable {BOB}"), "").await?;
    ensure!(account["state"] == "disabled", "{account}");
    ensure!(stored(&local, BOB, "another one").await.is_err(), "a disabled account logs in");
    ensure!(submission(&local, BOB, "another one").await.is_err(), "a disabled account submits");
    ensure!(rcpt(&local, BOB).await? == 250, "but it still gets mail");
    json(&local, &format!("account enable {BOB}"), "").await?;
    ensure!(stored(&local, BOB, "another one").await? == 0);

    let account = json(&local, &format!("account quota {BOB} 20KiB --messages 7"), "").await?;
    ensure!(
        (&account["quota_bytes"], &account["quota_messages"]) == (&json!(20 * 1024), &json!(7)),
        "{account}"
    );
    let mut session = imap(&local, BOB, "another one").await?;
    let refused = session.append("INBOX", &vec![b'x'; 30 * 1024]).await?;
    ensure!(refused.completion.starts_with("NO [OVERQUOTA]"), "{refused:?}");
    send(&local, BOB).await?;
    eventually::is_ok("what is stored is shown", ARRIVAL, async || {
        let account = json(&local, &format!("account show {BOB}"), "").await?;
        ensure!(account["used_messages"] == 1 && account["used_bytes"].as_u64() > Some(100), "{account}");
        Ok(())
    })
    .await?;
    let table = ctl(&local, &format!("account show {BOB}"), 0).await?.stdout;
    ensure!(table.contains("20 KiB"), "{table}");
    local.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_is_listed_shown_and_cancelled() -> anyhow::Result<()> {
    let local = platform().await?;
    let here = send(&local, BOB).await?;
    // Nobody listens there, so it waits.
    let there = send(&local, "someone@[127.0.0.99]").await?;
    let listed = eventually::is_ok("the first attempt has failed", ARRIVAL, async || {
        let listed = json(&local, "queue list", "").await?;
        let last_reply = listed.pointer("/0/recipients/0/last_reply").context("nothing waits")?;
        ensure!(!last_reply.is_null(), "not tried yet: {listed}");
        Ok(listed)
    })
    .await?;
    ensure!(listed.as_array().is_some_and(|listed| listed.len() == 1), "{listed}");
    ensure!((&listed[0]["transaction"], &listed[0]["sender"]) == (&json!(there), &json!(ALICE)), "{listed}");
    ensure!(listed[0]["recipients"][0]["status"] == "waiting", "{listed}");
    ensure!(json(&local, "queue list --from bob@north.test", "").await? == json!([]));
    ensure!(json(&local, "queue stats", "").await?["messages"] == 1);
    let status = json(&local, "status", "").await?;
    ensure!(status["queue"]["recipients"] == 1, "{status}");

    let shown = json(&local, &format!("queue show {there}"), "").await?;
    ensure!(shown["attempts"].as_array().is_some_and(|attempts| !attempts.is_empty()), "{shown}");
    let retried = json(&local, &format!("queue retry {there}"), "").await?;
    ensure!(retried["deliveries"] == 1, "{retried}");
    eventually::is_ok("it was tried again", ARRIVAL, async || {
        let shown = json(&local, &format!("queue show {there}"), "").await?;
        ensure!(shown["attempts"].as_array().is_some_and(|attempts| attempts.len() == 2), "{shown}");
        Ok(())
    })
    .await?;
    let cancelled = json(&local, &format!("queue cancel {there}"), "").await?;
    ensure!(cancelled == json!({ "recipients": 1 }), "{cancelled}");
    ensure!(json(&local, "queue list", "").await? == json!([]));
    let shown = json(&local, &format!("queue show {there}"), "").await?;
    ensure!(shown["recipients"][0]["status"] == "cancelled", "history keeps it: {shown}");
    // Mail to a mailbox here is stored before the 250 and never waits.
    ctl(&local, &format!("queue show {here}"), 67).await?;
    ensure!(stored(&local, ALICE, PASSWORD).await? == 0, "a cancelled message gives no bounce");
    local.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_account_is_unknown_and_its_mail_is_gone() -> anyhow::Result<()> {
    let local = platform().await?;
    send(&local, BOB).await?;
    eventually::is_ok("mail arrives", ARRIVAL, async || {
        ensure!(stored(&local, BOB, PASSWORD).await? == 1);
        Ok(())
    })
    .await?;
    // Nobody sits at standard input, so it wants --yes.
    ctl_with(&local, &format!("account delete {BOB}"), &format!("{BOB}\n"), 64).await?;
    ensure!(stored(&local, BOB, PASSWORD).await? == 1, "nothing is deleted without --yes");

    let deleted = json(&local, &format!("account delete {BOB} --yes"), "").await?;
    ensure!((&deleted["deleted"], &deleted["removed_messages"]) == (&json!(BOB), &json!(1)), "{deleted}");
    becomes(&local, BOB, 550).await?;
    ensure!(stored(&local, BOB, PASSWORD).await.is_err(), "it still logs in");
    ctl(&local, &format!("account show {BOB}"), 67).await?;
    json(&local, &format!("account create {BOB}"), "a second bob\n").await?;
    ensure!(stored(&local, BOB, "a second bob").await? == 0, "a new account sees the mail of the old one");
    local.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_codes_tell_what_went_wrong() -> anyhow::Result<()> {
    let local = platform().await?;
    let status = json(&local, "status", "").await?;
    let services = status["services"].as_array().context("no services")?;
    ensure!(services.len() >= 7 && services.iter().all(|service| service["reachable"] == true), "{status}");
    for (line, code) in [
        ("bogus", 64),
        ("queue show not-a-uuid", 64),
        ("status --site south.test", 64),
        ("account create --from-file /nonexistent.csv", 66),
        ("account show nobody@north.test", 67),
        ("account delete nobody@north.test --yes", 67),
        ("alias delete nobody@north.test", 67),
        ("domain create north.test", 73),
        ("domain delete north.test", 73),
    ] {
        let ended = ctl(&local, line, code).await?;
        ensure!(ended.stdout.is_empty(), "standard output has only results: {ended:?}");
    }
    ctl_with(&local, "account create alice@north.test", "long enough\n", 73).await?;
    ctl_with(&local, "account create empty@north.test", "\n", 65).await?;

    // The same file with a port where nobody listens: what a platform that went away looks like.
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut endpoints: Value =
        serde_json::from_slice(&std::fs::read(local.folder().join("endpoints.json"))?)?;
    endpoints["sites"][0]["admin"] = json!(free);
    let file = local.folder().join("away.json");
    std::fs::write(&file, endpoints.to_string())?;
    for line in ["status", "account list", "queue stats"] {
        let mut away = std::process::Command::new(local.ctl().get_program());
        away.arg("--endpoints").arg(&file).args(line.split(' '));
        let ended = run(away, "").await?;
        ensure!(ended.code == 69, "staffetta {line}: {ended:?}");
        ensure!(ended.stderr.contains("not answer"), "staffetta {line}: {ended:?}");
    }
    local.stop().await
}
