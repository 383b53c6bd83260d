//! The commands, one file each: what the RFC asks of it, in terms of the mailstore port.
//!
//! A command gets the session's state and an [`Output`] for its untagged responses, and answers a [`Completion`]. Commands
//! know no sockets: APPEND, IDLE and AUTHENTICATE, which read from the client while they run, leave that to the connection.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::BytesMut;
use staffetta_chassis::clock::Clock;
use staffetta_directory_api::{Authentication, ShardName};

use crate::login::{Login, Sessions, Shard};
use crate::metrics::Metrics;
use crate::session::{Enabled, State};
use crate::settings::Settings;
use crate::wire::command::CommandBody;

pub mod append;
pub mod authenticate;
pub mod capability;
pub mod close;
pub mod completion;
pub mod copy;
pub mod create;
pub mod delete;
pub mod enable;
pub mod expunge;
pub mod fetch;
pub mod flags;
pub mod id;
pub mod list;
pub mod namespace;
pub mod quota;
pub mod rename;
pub mod search;
pub mod select;
pub mod status;
pub mod store;
pub mod subscribe;
pub mod updates;

pub use completion::Completion;

/// What all sessions of a gateway share.
pub struct Gateway {
    /// Checks logins.
    pub directory: Arc<dyn Authentication>,
    /// The shards by name.
    pub shards: std::collections::HashMap<ShardName, Shard>,
    /// How many sessions each account has here.
    pub sessions: Arc<Sessions>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Limits and waits.
    pub settings: Settings,
    /// What is counted.
    pub metrics: Metrics,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// One session, apart from its connection.
#[derive(Debug)]
pub struct Session {
    /// Where it stands.
    pub state: State<Login>,
    /// Which extensions the client switched on.
    pub enabled: Enabled,
    /// What the transport allows.
    pub transport: Transport,
}

/// What a login may rely on.
#[derive(Debug, Clone, Copy)]
pub struct Transport {
    /// The client's address.
    pub client: std::net::SocketAddr,
    /// Whether octets are encrypted.
    pub tls: bool,
    /// Whether STARTTLS can be offered.
    pub can_start_tls: bool,
    /// Whether a password may come as things stand: TLS, or a loopback client where the settings say so.
    pub passwords: bool,
}

/// Where untagged responses go.
#[async_trait]
pub trait Output: Send {
    /// What is not sent yet.
    fn buffer(&mut self) -> &mut BytesMut;

    /// Sends it.
    async fn flush(&mut self) -> io::Result<()>;

    /// Sends it when it has grown large, so that a long answer is not held in memory.
    async fn relieve(&mut self) -> io::Result<()> {
        if self.buffer().len() >= FLUSH_AT { self.flush().await } else { Ok(()) }
    }
}

/// A long answer is sent in pieces of about this many octets: large enough for few system calls, small against the memory of
/// a session.
const FLUSH_AT: usize = 64 * 1024;

/// Carries out a command that needs nothing but the session. The connection handles the others itself and never passes them.
pub async fn run(
    gateway: &Gateway,
    session: &mut Session,
    command: CommandBody,
    out: &mut dyn Output,
) -> io::Result<Completion> {
    let Session { state, enabled, transport } = session;
    match command {
        CommandBody::Capability => Ok(capability::run(out, state, *transport)),
        CommandBody::Noop | CommandBody::Check => Ok(Completion::done()),
        CommandBody::Id(_) => Ok(id::run(out)),
        CommandBody::Namespace => Ok(namespace::run(out)),
        CommandBody::Enable(names) => Ok(enable::run(out, enabled, &names)),
        CommandBody::Select(select) => select::run(gateway, state, enabled, out, select).await,
        CommandBody::Unselect => Ok(close::unselect(state)),
        CommandBody::Close => close::close(state).await,
        other => match state {
            State::NotAuthenticated => Ok(Completion::bad("Log in first")),
            State::Authenticated(login) => with_login(login, enabled, out, other).await,
            State::Selected(login, view) => with_mailbox(gateway, login, view, enabled, out, other).await,
        },
    }
}

/// Commands that need a login only.
async fn with_login(
    login: &mut Login,
    enabled: &mut Enabled,
    out: &mut dyn Output,
    command: CommandBody,
) -> io::Result<Completion> {
    Ok(match command {
        CommandBody::Create { mailbox, special_use } => create::run(login, &mailbox, &special_use).await,
        CommandBody::Delete { mailbox } => delete::run(login, &mailbox).await,
        CommandBody::Rename { from, to } => rename::run(login, &from, &to).await,
        CommandBody::Subscribe { mailbox } => subscribe::run(login, &mailbox, true).await,
        CommandBody::Unsubscribe { mailbox } => subscribe::run(login, &mailbox, false).await,
        CommandBody::List(query) => list::list(login, out, &query).await?,
        CommandBody::Lsub(query) => list::lsub(login, out, &query).await?,
        CommandBody::Status { mailbox, items } => status::run(login, enabled, out, &mailbox, &items).await?,
        CommandBody::GetQuota { root } => quota::get(login, out, &root).await,
        CommandBody::GetQuotaRoot { mailbox } => quota::get_root(login, out, &mailbox).await,
        CommandBody::SetQuota { .. } => quota::set(),
        _ => Completion::bad("Select a mailbox first"),
    })
}

/// Commands that need a selected mailbox, and all those that need only a login.
async fn with_mailbox(
    gateway: &Gateway,
    login: &mut Login,
    view: &mut crate::view::View,
    enabled: &mut Enabled,
    out: &mut dyn Output,
    command: CommandBody,
) -> io::Result<Completion> {
    match command {
        CommandBody::Expunge { uids } => expunge::run(login, view, enabled, out, uids).await,
        CommandBody::Search { charset, key, uid } => {
            search::run(login, view, enabled, out, charset.as_deref(), &key, uid).await
        }
        CommandBody::Fetch(fetch) => fetch::run(gateway, login, view, enabled, out, &fetch).await,
        CommandBody::Store(store) => store::run(login, view, enabled, out, &store).await,
        CommandBody::Copy { set, mailbox, uid } => copy::copy(login, view, &set, &mailbox, uid).await,
        CommandBody::Move { set, mailbox, uid } => {
            copy::relocate(login, view, enabled, out, &set, &mailbox, uid).await
        }
        other => with_login(login, enabled, out, other).await,
    }
}

/// A key for one write; retries of that write repeat it.
pub(crate) fn draw_key() -> staffetta_mailstore_api::IdempotencyKey {
    staffetta_mailstore_api::IdempotencyKey(uuid::Uuid::new_v4())
}
