//! APPEND on the wire: the message streams into the spool, and only when its command is complete is it stored.

use staffetta_chassis::spool::{SpoolError, SpoolWriter};
use tokio::io::{AsyncRead, AsyncWrite};

use super::wire::End;
use super::{After, Driver, Input};
use crate::command::{Completion, append};
use crate::wire::command::{Append, CommandBody, LiteralMode, Tag};
use crate::wire::response::{Code, Writer};

/// How the reception of a message ended.
enum Received {
    /// It is complete.
    Whole(SpoolWriter),
    /// The command ends so; the decoder drops what is left of it.
    Refused(Completion),
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Driver<'_, S> {
    pub(super) async fn append(&mut self, tag: Tag, append: Append) -> Result<(), End> {
        let started = self.gateway.clock.instant();
        self.commands += 1;
        let literal = append.literal;
        let body = CommandBody::Append(append);
        let admitted = self.session.state.admits(&body).map_err(|refusal| Completion::bad(refusal.text()));
        let CommandBody::Append(append) = body else { return Ok(()) };
        let checked = admitted.and_then(|()| append::check(&append, self.gateway.settings.max_message_bytes));
        let completion = match checked {
            Ok(accepted) => {
                self.renew().await?;
                self.wire.decoder().accept_append();
                if literal.mode == LiteralMode::Synchronizing {
                    Writer::new(self.wire.output()).continuation("Ready for the message");
                }
                self.wire.set_bulk(true);
                let received = self.receive().await;
                self.wire.set_bulk(false);
                match received? {
                    Received::Whole(writer) => self.store(accepted, writer).await?,
                    Received::Refused(completion) => completion,
                }
            }
            Err(completion) => {
                self.wire.decoder().refuse_append();
                completion
            }
        };
        let elapsed = self.gateway.clock.instant().saturating_duration_since(started);
        self.gateway.metrics.command("APPEND", completion.condition.name(), elapsed.as_secs_f64());
        self.complete(&tag, &completion)
    }

    async fn receive(&mut self) -> Result<Received, End> {
        let mut writer = self.acceptor.spool.writer();
        loop {
            match self.piece().await? {
                Input::AppendChunk(chunk) => {
                    if let Err(error) = writer.write(chunk).await {
                        self.wire.decoder().refuse_append();
                        return Ok(Received::Refused(no_room(&error)));
                    }
                }
                Input::AppendEnd => return Ok(Received::Whole(writer)),
                Input::Bad { text, .. } => return Ok(Received::Refused(Completion::bad(text))),
                Input::Fatal(text) => return Err(End::Bye(None, text)),
                _ => return Ok(Received::Refused(Completion::bad("Expected the message"))),
            }
        }
    }

    async fn store(&mut self, accepted: append::Accepted, writer: SpoolWriter) -> Result<Completion, End> {
        let body = match writer.finish().await {
            Ok(body) => body,
            Err(error) => return Ok(no_room(&error)),
        };
        let Some(login) = self.session.state.login() else { return Ok(Completion::bad("Log in first")) };
        let completion = append::run(login, accepted, body).await;
        self.after(After::Poll, completion).await
    }
}

fn no_room(error: &SpoolError) -> Completion {
    tracing::warn!(%error, "message not received");
    Completion::refused(Code::Unavailable, "No room for the message now, try again later")
}
