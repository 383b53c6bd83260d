//! mbsync keeps a Maildir and the mailboxes of an account the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use staffetta_tests::client::imap::ImapClient;
use staffetta_tests::local::{Local, installed};
use staffetta_tests::mail;

use super::{ALICE, BOB, PASSWORD, append, markers, platform, site, write_secret};
use crate::program::{imap, succeed};

/// A Maildir tree and mbsync's settings for it.
struct Mirror {
    folder: PathBuf,
}

impl Mirror {
    /// mbsync does not look at addresses in certificates, so it gets the server's certificate itself.
    fn new(local: &Local) -> anyhow::Result<Self> {
        let (folder, site) = (local.folder().to_owned(), site(local));
        std::fs::create_dir(folder.join("mail"))?;
        let text = format!(
            "IMAPAccount staffetta\nHost {host}\nPort {port}\nUser {ALICE}\nPass {PASSWORD}\nSSLType IMAPS\n\
             CertificateFile {folder}/data/{name}/certificates/tls.crt\n\n\
             IMAPStore far\nAccount staffetta\n\n\
             MaildirStore near\nPath {folder}/mail/\nInbox {folder}/mail/INBOX\nSubFolders Verbatim\n\n\
             Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\nSyncState *\n",
            host = site.host,
            port = site.imaps,
            name = site.name,
            folder = folder.display(),
        );
        write_secret(&folder.join("mbsyncrc"), &text)?;
        Ok(Self { folder })
    }

    async fn sync(&self) -> anyhow::Result<()> {
        let mut command = Command::new(installed("mbsync", "isync")?);
        command.arg("--verbose").arg("--config").arg(self.folder.join("mbsyncrc")).arg("all");
        succeed(command).await.map(drop)
    }

    fn mailbox(&self, name: &str) -> PathBuf {
        self.folder.join("mail").join(name)
    }

    /// The letters of a mailbox by their markers: where they are and their flags.
    fn letters(&self, name: &str) -> anyhow::Result<BTreeMap<String, (PathBuf, String)>> {
        let mut letters = BTreeMap::new();
        for part in ["new", "cur"] {
            for entry in std::fs::read_dir(self.mailbox(name).join(part))? {
                let path = entry?.path();
                let text = std::fs::read_to_string(&path)?;
                let field = text.lines().find_map(|line| line.strip_prefix("X-Test-Marker: "));
                let file = path.to_string_lossy().into_owned();
                let flags = file.rsplit_once(":2,").map(|(_, flags)| flags.to_owned()).unwrap_or_default();
                letters.insert(field.context("no marker")?.trim().to_owned(), (path, flags));
            }
        }
        Ok(letters)
    }

    fn letter(&self, marker: &str) -> anyhow::Result<(PathBuf, String)> {
        self.letters("INBOX")?.remove(marker).with_context(|| format!("no letter {marker}"))
    }
}

/// Gives a letter of a Maildir other flags.
fn flag(path: &Path, flags: &str) -> anyhow::Result<()> {
    let name = path.file_name().context("no name")?.to_string_lossy().into_owned();
    let (base, _) = name.rsplit_once(":2,").unwrap_or((&name, ""));
    let cur = path.parent().and_then(Path::parent).context("no mailbox")?.join("cur");
    Ok(std::fs::rename(path, cur.join(format!("{base}:2,{flags}")))?)
}

/// UIDs and flags of the selected mailbox, as the server tells them.
async fn flags(session: &mut ImapClient) -> anyhow::Result<Vec<String>> {
    session.ok("NOOP").await?;
    Ok(session.ok("UID FETCH 1:* (UID FLAGS)").await?.untagged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mbsync_syncs_both_ways() -> anyhow::Result<()> {
    let local = platform().await?;
    let mirror = Mirror::new(&local)?;
    let mut session = imap(&local, ALICE, PASSWORD).await?;
    append(&mut session, "INBOX", "one").await?;
    append(&mut session, "INBOX", "two").await?;
    session.ok("CREATE Projects").await?;
    append(&mut session, "Projects (\\Seen)", "plan").await?;

    mirror.sync().await?;
    ensure!(mirror.letters("INBOX")?.keys().eq(["one", "two"]), "{:?}", mirror.letters("INBOX")?);
    ensure!(mirror.letters("Projects")?["plan"].1 == "S", "flags come along");

    change_both_sides(&mirror, &mut session).await?;
    mirror.sync().await?;
    session.ok("NOOP").await?;
    ensure!(markers(&mut session).await? == ["one", "two", "three"]);
    let one = session.ok("UID SEARCH FLAGGED SEEN HEADER X-Test-Marker one").await?;
    ensure!(one.untagged.contains(&"SEARCH 1".to_owned()), "{one:?}");
    ensure!(mirror.letter("two")?.1 == "R", "an answer on the server is one here");

    std::fs::remove_file(mirror.letter("one")?.0)?;
    session.ok("UID STORE 2 +FLAGS (\\Deleted)").await?;
    session.ok("EXPUNGE").await?;
    mirror.sync().await?;
    session.ok("NOOP").await?;
    ensure!(markers(&mut session).await? == ["three"]);
    ensure!(mirror.letters("INBOX")?.keys().eq(["three"]), "{:?}", mirror.letters("INBOX")?);
    ensure!(mirror.letters("Local")?.keys().eq(["note"]), "a mailbox made here stays here");
    ensure!(session.ok("STATUS Local (MESSAGES)").await?.with("MESSAGES 1").len() == 1, "and is there");

    let before = (flags(&mut session).await?, mirror.letters("INBOX")?, mirror.letters("Local")?);
    mirror.sync().await?;
    let after = (flags(&mut session).await?, mirror.letters("INBOX")?, mirror.letters("Local")?);
    ensure!(before == after, "a sync without changes changed something: {before:?} {after:?}");
    local.stop().await
}

/// A new letter, a new mailbox and flags in the Maildir; a flag on the server.
async fn change_both_sides(mirror: &Mirror, session: &mut ImapClient) -> anyhow::Result<()> {
    let local = mirror.mailbox("Local");
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(local.join(part))?;
    }
    let unix = |marker| String::from_utf8_lossy(&mail::message(marker, ALICE, BOB)).replace("\r\n", "\n");
    std::fs::write(local.join("cur/1700000000.note.client:2,S"), unix("note"))?;
    std::fs::write(mirror.mailbox("INBOX").join("new/1700000001.three.client"), unix("three"))?;
    flag(&mirror.letter("one")?.0, "FS")?;
    session.ok("UID STORE 2 +FLAGS (\\Answered)").await.map(drop)
}
