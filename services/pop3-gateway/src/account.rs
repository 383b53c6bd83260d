//! An account that is logged in: its shard, its lease on the maildrop, and what keeps both alive.

mod keeper;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use staffetta_directory_api::{
    AccountId, Authentication, LoginRequest, Scope, Scopes, Session, SessionHandle,
};
use staffetta_mailstore_api::{Access, IdempotencyKey, MaildropLease, Mailstore, MailstoreError, UidSet};
use staffetta_sasl::Credentials;

pub use keeper::Standing;

use self::keeper::{Keeper, Shared};
use crate::error::LoginFailure;
use crate::maildrop::Maildrop;
use crate::services::{Permit, Services};
use crate::wire::{Code, Reply};

/// An open maildrop and the session behind it. Exactly one of [`Account::close`], [`Account::commit`] ends the lease; if
/// neither does (the task was dropped), it expires by itself.
pub struct Account {
    id: AccountId,
    store: Arc<dyn Mailstore>,
    lease: MaildropLease,
    keeper: Keeper,
    login: Login,
    _permit: Permit,
}

/// The directory's session.
struct Login {
    authentication: Arc<dyn Authentication>,
    handle: SessionHandle,
    tasks: staffetta_chassis::tasks::Tasks,
}

/// What reads messages: the store, and an access whose token stays fresh.
#[derive(Clone)]
pub struct Reader {
    /// The account's shard.
    pub store: Arc<dyn Mailstore>,
    shared: Arc<Shared>,
}

impl Account {
    /// Checks the credentials, takes the lease and the snapshot, and starts keeping both alive.
    ///
    /// # Errors
    /// The answer to the client; nothing is left behind then.
    pub async fn open(
        services: &Services,
        credentials: Credentials,
        client: IpAddr,
    ) -> Result<(Maildrop, Self), LoginFailure> {
        let request = LoginRequest {
            login: credentials.authentication_id,
            password: credentials.password,
            scopes: Scopes::from(Scope::Pop3),
            client,
        };
        let session = services.authentication.login(request).await?;
        let login = Login {
            authentication: Arc::clone(&services.authentication),
            handle: session.handle.clone(),
            tasks: services.tasks.clone(),
        };
        match Self::lease(services, &session).await {
            Ok((maildrop, lease, store, permit)) => {
                let keeper = Keeper::start(services, &session, Arc::clone(&store), lease);
                Ok((maildrop, Self { id: session.account, store, lease, keeper, login, _permit: permit }))
            }
            Err(failure) => {
                login.end();
                Err(failure)
            }
        }
    }

    async fn lease(
        services: &Services,
        session: &Session,
    ) -> Result<(Maildrop, MaildropLease, Arc<dyn Mailstore>, Permit), LoginFailure> {
        let store = services.shards.shard(&session.shard)?;
        let limit = services.limits.sessions_per_account;
        let Some(permit) = services.sessions.enter(session.account, limit) else {
            let reply = Reply::coded(Code::InUse, "too many sessions of this account");
            return Err(LoginFailure::new("too_many", reply));
        };
        let snapshot = store.open_maildrop(&Access::from(session)).await?;
        Ok((Maildrop::new(&snapshot), snapshot.lease, store, permit))
    }

    /// The account.
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// What reads messages.
    pub fn reader(&self) -> Reader {
        Reader { store: Arc::clone(&self.store), shared: self.keeper.shared() }
    }

    /// Whether lease and login still hold, as far as is known.
    pub fn standing(&self) -> Standing {
        self.keeper.standing()
    }

    /// Removes messages and gives the lease back, in one call.
    ///
    /// # Errors
    /// [`MailstoreError::LeaseLost`]: nothing was removed.
    pub async fn commit(&self, key: IdempotencyKey, deleted: &UidSet) -> Result<(), MailstoreError> {
        self.store.commit_maildrop(&self.keeper.access(), &self.lease, key, deleted).await
    }

    /// Gives the lease back; nothing is removed.
    pub async fn close(self) {
        if let Err(error) = self.store.release_maildrop(&self.keeper.access(), &self.lease).await {
            tracing::debug!(%error, account = %self.id, "lease not given back, it expires by itself");
        }
        self.login.end();
    }

    /// Tells directory that the session is over, once the lease is gone.
    pub fn end_login(self) {
        self.login.end();
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("id", &self.id).field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl Reader {
    /// The access now.
    pub fn access(&self) -> Access {
        self.shared.access()
    }
}

impl Login {
    /// Nobody waits for it: an unused handle expires by itself.
    fn end(&self) {
        let (authentication, handle) = (Arc::clone(&self.authentication), self.handle.clone());
        self.tasks.spawn(async move {
            if let Err(error) = authentication.logout(&handle).await {
                tracing::debug!(%error, "logout not told to directory");
            }
        });
    }
}
