//! IDLE (RFC 2177): everything that happens is told as it happens.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::wire::End;
use super::{Driver, Input};
use crate::command::updates::{self, Expunges};
use crate::command::{Completion, select};
use crate::session::State;
use crate::wire::response::{Code, Condition, Writer};

/// What woke an IDLE.
enum Event {
    Read,
    Changed,
    StillHere,
    Renew,
    Goodbye,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Driver<'_, S> {
    pub(super) async fn idle(&mut self) -> Result<Completion, End> {
        Writer::new(self.wire.output()).continuation("idling");
        self.wire.decoder().expect_line();
        // What was announced up to now is told before we wait for announcements.
        self.tell().await?;
        loop {
            if let Some(input) = self.wire.decode() {
                return match input {
                    Input::Line(line) if line.eq_ignore_ascii_case(b"DONE") => {
                        self.tell().await?;
                        Ok(Completion::done())
                    }
                    Input::Fatal(text) => Err(End::Bye(None, text)),
                    _ => Ok(Completion::bad("Expected DONE")),
                };
            }
            self.wire.flush().await?;
            match self.event().await? {
                Event::Read => {}
                Event::Changed => self.tell().await?,
                Event::StillHere if self.is_due() => self.tell().await?,
                Event::StillHere => {
                    Writer::new(self.wire.output()).untagged(Condition::Ok, None, "Still here")
                }
                Event::Renew => self.renew().await?,
                Event::Goodbye => {
                    return Err(End::Bye(
                        Some(Code::Unavailable),
                        "Server is shutting down, please come back",
                    ));
                }
            }
        }
    }

    async fn event(&mut self) -> Result<Event, End> {
        let clock = &*self.gateway.clock;
        let settings = &self.gateway.settings;
        let Some(login) = self.session.state.login_mut() else { return Ok(Event::Read) };
        // What could not be looked at is looked at again soon, even if nothing new is announced.
        let wait = if updates::is_due(login) { settings.renew_retry } else { settings.still_here };
        let still_here = clock.sleep(wait);
        let renewal = login.renew_at() - chrono::DateTime::<chrono::Utc>::from(clock.now());
        let renewal = clock.sleep(renewal.to_std().unwrap_or(Duration::ZERO));
        tokio::select! {
            biased;
            read = self.wire.read() => read.map(|()| Event::Read),
            () = login.watch.changed() => Ok(Event::Changed),
            () = self.goodbye.wait(clock) => Ok(Event::Goodbye),
            () = renewal => Ok(Event::Renew),
            () = still_here => Ok(Event::StillHere),
        }
    }

    fn is_due(&mut self) -> bool {
        self.session.state.login_mut().is_some_and(updates::is_due)
    }

    /// Tells what changed. While mailstore is away the client is told nothing and waits on; it is tried again soon.
    async fn tell(&mut self) -> Result<(), End> {
        let enabled = self.session.enabled;
        let State::Selected(login, view) = &mut self.session.state else { return Ok(()) };
        let ask = updates::is_due(login);
        match updates::sync(login, view, enabled, Expunges::Tell, &mut self.wire, ask).await {
            Ok(()) => Ok(()),
            Err(error) if select::is_gone(&error) => Err(End::Bye(None, "The selected mailbox was deleted")),
            Err(error) => {
                tracing::debug!(%error, "changes not looked at in IDLE");
                Ok(())
            }
        }
    }
}
