//! Reading and running a transcript.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::pipe::Client;
use crate::surroundings::Surroundings;

/// Real time: a session that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(5);

/// How commands are written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Writes {
    Whole,
    Octets,
}

pub(crate) struct Run {
    name: String,
    writes: Writes,
    surroundings: Surroundings,
    clients: BTreeMap<String, Client>,
}

impl Run {
    pub(crate) fn new(name: &str, writes: Writes) -> Self {
        Self { name: name.to_owned(), writes, surroundings: Surroundings::new(), clients: BTreeMap::new() }
    }

    pub(crate) async fn run(mut self, script: &str) {
        let mut lines = script.lines().enumerate().peekable();
        while let Some((at, line)) = lines.next() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = format!("{} ({:?}), line {}: {line}", self.name, self.writes, at + 1);
            if let Some(action) = line.strip_prefix("! ") {
                let mut text = Vec::new();
                while let Some((_, piece)) = lines.next_if(|(_, line)| line.starts_with('|')) {
                    text.extend_from_slice(piece.strip_prefix("| ").unwrap_or("").as_bytes());
                    text.extend_from_slice(b"\r\n");
                }
                self.act(action, &text, &place).await;
            } else if let Some((session, text)) = said(line, 'C') {
                let mut batch = format!("{}\r\n", expand(&text));
                while let Some((_, next)) =
                    lines.next_if(|(_, next)| said(next, 'C').is_some_and(|(s, _)| s == session))
                {
                    batch.push_str(&expand(&said(next, 'C').unwrap().1));
                    batch.push_str("\r\n");
                }
                self.write(&session, batch.as_bytes()).await;
            } else if let Some((session, text)) = said(line, 'S') {
                self.expect(&session, &expand(&text), &place).await;
            } else {
                panic!("not understood: {place}");
            }
        }
    }

    async fn act(&mut self, action: &str, text: &[u8], place: &str) {
        let (action, argument) = action.split_once(' ').unwrap_or((action, ""));
        match action {
            "connect" => {
                let (session, how) = argument.split_once(' ').unwrap();
                self.clients.insert(session.to_owned(), self.surroundings.connect(how));
            }
            "tls" => {
                let client = self.clients.get_mut(argument).unwrap();
                client.current = client.tls.take().unwrap();
            }
            "drop" => drop(self.clients.remove(argument)),
            "closed" => {
                let client = self.clients.get_mut(argument).unwrap();
                let mut rest = Vec::new();
                let read = timeout(PATIENCE, client.current.read_to_end(&mut rest)).await;
                assert!(read.is_ok(), "not closed: {place}");
                assert_eq!(String::from_utf8_lossy(&rest), "", "{place}");
            }
            other => self.surroundings.act(other, argument, text).await,
        }
    }

    async fn write(&mut self, session: &str, batch: &[u8]) {
        let client = &mut self.clients.get_mut(session).expect("a connected session").current;
        // A session that ended does not read on; what it said before is checked by the S lines.
        match self.writes {
            Writes::Whole => {
                let _ = client.write_all(batch).await;
            }
            Writes::Octets => {
                for octet in batch {
                    let _ = client.write_all(&[*octet]).await;
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    async fn expect(&mut self, session: &str, expected: &str, place: &str) {
        let client = &mut self.clients.get_mut(session).expect("a connected session").current;
        let mut line = Vec::new();
        let reading = async {
            while !line.ends_with(b"\n") {
                match client.read_u8().await {
                    Ok(octet) => line.push(octet),
                    Err(_) => break,
                }
            }
        };
        let in_time = timeout(PATIENCE, reading).await.is_ok();
        let said = String::from_utf8_lossy(&line).into_owned();
        assert!(in_time, "nothing more after {said:?}: {place}");
        match expected.strip_suffix('*') {
            Some(start) => assert!(said.starts_with(start) && said.ends_with("\r\n"), "{said:?}: {place}"),
            None => assert_eq!(said, format!("{expected}\r\n"), "{place}"),
        }
    }
}

/// `C: text` or `C2: text`: the session and the text.
fn said(line: &str, who: char) -> Option<(String, String)> {
    let (head, text) = line.split_once(':')?;
    let session = head.strip_prefix(who)?;
    let session = if session.is_empty() { "1" } else { session };
    session
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| (session.to_owned(), text.strip_prefix(' ').unwrap_or(text).to_owned()))
}

/// `{x*300}` stands for 300 times `x`.
fn expand(text: &str) -> String {
    let Some((before, rest)) = text.split_once('{') else { return text.to_owned() };
    let (inside, after) = rest.split_once('}').unwrap();
    let (piece, count) = inside.split_once('*').unwrap();
    format!("{before}{}{}", piece.repeat(count.parse().unwrap()), expand(after))
}
