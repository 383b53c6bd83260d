//! `WatchService`: every account is watched on its own token, no longer than that lives.

use std::collections::{BTreeSet, HashMap};

use async_stream::stream;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use staffetta_chassis::grpc::into_status;
use staffetta_directory_api::{AccountId, Scope, SessionToken};
use staffetta_proto::mailstore::v1 as proto;
use staffetta_proto::mailstore::v1::watch_accounts_request::Command;
use staffetta_proto::mailstore::v1::watch_service_server::WatchService;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{MailstoreServer, access_of};
use crate::grpc::convert::to_event;
use crate::{Access, WatchCommand, WatchEvent};

/// Most accounts of one stream.
const MAX_WATCHED: usize = 100_000;

#[async_trait]
impl WatchService for MailstoreServer {
    type WatchAccountsStream = BoxStream<'static, Result<proto::WatchAccountsResponse, Status>>;

    async fn watch_accounts(
        &self,
        request: Request<Streaming<proto::WatchAccountsRequest>>,
    ) -> Result<Response<Self::WatchAccountsStream>, Status> {
        let mut requests = request.into_inner();
        // Unbounded, for the port takes commands only while its events are asked for; one request is taken at a time.
        let (commands, receiver) = mpsc::unbounded_channel();
        let events = self.store().watch(UnboundedReceiverStream::new(receiver).boxed()).await;
        let mut events = events.map_err(into_status)?;
        let mut watched = Watched::default();
        let server = self.clone();
        let responses = stream! {
            loop {
                tokio::select! {
                    request = requests.next() => match request {
                        Some(Ok(request)) => {
                            let (command, ended) = server.command(request, &mut watched);
                            if let Some(command) = command {
                                // A port that hung up ends its events, which is seen below.
                                let _ = commands.send(command);
                            }
                            if let Some(event) = ended {
                                yield Ok(to_event(&event));
                            }
                        }
                        // The gateway is done, or gone.
                        Some(Err(_)) | None => break,
                    },
                    event = events.next() => match event {
                        Some(Ok(event)) => {
                            if let WatchEvent::Ended { account } = event {
                                watched.remove(account);
                            }
                            yield Ok(to_event(&event));
                        }
                        Some(Err(error)) => {
                            yield Err(into_status(error));
                            break;
                        }
                        None => break,
                    },
                    account = server.expired(&mut watched) => {
                        let _ = commands.send(WatchCommand::Remove(account));
                        yield Ok(to_event(&WatchEvent::Ended { account }));
                    }
                    () = server.parts.draining.draining() => break,
                }
            }
        };
        Ok(Response::new(responses.boxed()))
    }
}

impl MailstoreServer {
    /// What the request means for the port, and what is answered at once.
    fn command(
        &self,
        request: proto::WatchAccountsRequest,
        watched: &mut Watched,
    ) -> (Option<WatchCommand>, Option<WatchEvent>) {
        match request.command {
            Some(Command::Add(add)) => {
                let account = AccountId(add.account_id);
                match self.proven(add) {
                    Some((access, expires_at)) if watched.put(account, expires_at) => {
                        (Some(WatchCommand::Add(access)), None)
                    }
                    _ => {
                        watched.remove(account);
                        (Some(WatchCommand::Remove(account)), Some(WatchEvent::Ended { account }))
                    }
                }
            }
            Some(Command::Remove(remove)) => {
                let account = AccountId(remove.account_id);
                watched.remove(account);
                (Some(WatchCommand::Remove(account)), None)
            }
            None => (None, None),
        }
    }

    /// The token's access and end, if it is good for watching this account.
    fn proven(&self, add: proto::WatchAdd) -> Option<(Access, DateTime<Utc>)> {
        let token = SessionToken(add.token.into());
        let claims = self.verified(&token).ok()?;
        let good = claims.account.0 == add.account_id && claims.scopes.contains(Scope::Imap);
        good.then(|| (access_of(&claims, token), claims.expires_at))
    }

    /// The next account whose token has expired, once it has.
    async fn expired(&self, watched: &mut Watched) -> AccountId {
        let Some(&(expires_at, account)) = watched.by_end.first() else {
            return std::future::pending().await;
        };
        let now: DateTime<Utc> = self.parts.clock.now().into();
        if let Ok(left) = (expires_at - now).to_std() {
            self.parts.clock.sleep(left).await;
        }
        watched.remove(account);
        account
    }
}

/// The accounts of a stream and when their tokens expire.
#[derive(Default)]
struct Watched {
    ends: HashMap<AccountId, DateTime<Utc>>,
    by_end: BTreeSet<(DateTime<Utc>, AccountId)>,
}

impl Watched {
    /// Watches until `expires_at`; false when there are too many.
    fn put(&mut self, account: AccountId, expires_at: DateTime<Utc>) -> bool {
        self.remove(account);
        if self.ends.len() >= MAX_WATCHED {
            return false;
        }
        self.ends.insert(account, expires_at);
        self.by_end.insert((expires_at, account))
    }

    fn remove(&mut self, account: AccountId) {
        if let Some(expires_at) = self.ends.remove(&account) {
            self.by_end.remove(&(expires_at, account));
        }
    }
}
