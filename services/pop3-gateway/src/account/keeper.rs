//! Keeps a session alive beside whatever it does, even a download that takes an hour: the lease's heartbeat and the
//! renewal of the session token at half of its life.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use staffetta_chassis::clock::Clock;
use staffetta_directory_api::{Authentication, DirectoryError, Session, SessionHandle};
use staffetta_mailstore_api::{Access, MaildropLease, Mailstore, MailstoreError};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::services::Services;

/// After a failed heartbeat or renewal the next attempt comes sooner.
const RETRY: Duration = Duration::from_secs(5);

/// Whether a session may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As far as is known, lease and login hold.
    Good,
    /// The lease expired or was taken over.
    LeaseLost,
    /// Directory ended the session (disabled, password changed), or the account moved.
    Ended,
}

/// The running task; dropping it stops it.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    _stop: DropGuard,
}

/// What the task tells the session.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    access: Access,
    standing: Standing,
}

struct Task {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    authentication: Arc<dyn Authentication>,
    store: Arc<dyn Mailstore>,
    lease: MaildropLease,
    handle: SessionHandle,
    heartbeat: Duration,
    next_beat: Instant,
    next_renewal: Instant,
}

impl Keeper {
    pub(super) fn start(
        services: &Services,
        session: &Session,
        store: Arc<dyn Mailstore>,
        lease: MaildropLease,
    ) -> Self {
        let state = State { access: Access::from(session), standing: Standing::Good };
        let shared = Arc::new(Shared { state: Mutex::new(state) });
        let clock = Arc::clone(&services.clock);
        let task = Task {
            shared: Arc::clone(&shared),
            next_beat: clock.instant() + services.timeouts.heartbeat,
            next_renewal: clock.instant() + until(&*clock, session),
            clock,
            authentication: Arc::clone(&services.authentication),
            store,
            lease,
            handle: session.handle.clone(),
            heartbeat: services.timeouts.heartbeat,
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        services.tasks.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = task.run() => {}
            }
        });
        Self { shared, _stop: stop.drop_guard() }
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    pub(super) fn access(&self) -> Access {
        self.shared.access()
    }

    pub(super) fn standing(&self) -> Standing {
        self.shared.state().standing
    }
}

impl Shared {
    pub(super) fn access(&self) -> Access {
        self.state().access.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    /// Until the session cannot go on.
    async fn run(mut self) {
        while self.shared.state().standing == Standing::Good {
            let now = self.clock.instant();
            if self.next_renewal <= now {
                self.renew().await;
            } else if self.next_beat <= now {
                self.beat().await;
            } else {
                let next = self.next_renewal.min(self.next_beat);
                self.clock.sleep(next.saturating_duration_since(now)).await;
            }
        }
    }

    async fn beat(&mut self) {
        let access = self.shared.access();
        let now = self.clock.instant();
        match self.store.renew_maildrop(&access, &self.lease).await {
            Ok(()) => self.next_beat = now + self.heartbeat,
            Err(MailstoreError::LeaseLost) => self.shared.state().standing = Standing::LeaseLost,
            Err(MailstoreError::StaleEpoch) => self.shared.state().standing = Standing::Ended,
            Err(error) => {
                tracing::debug!(%error, account = %access.account, "heartbeat of the maildrop lease failed");
                self.next_beat = now + RETRY.min(self.heartbeat);
            }
        }
    }

    async fn renew(&mut self) {
        match self.authentication.renew(&self.handle).await {
            Ok(session) => {
                self.next_renewal = self.clock.instant() + until(&*self.clock, &session);
                self.handle = session.handle.clone();
                self.shared.state().access = Access::from(&session);
            }
            Err(DirectoryError::SessionEnded | DirectoryError::NotAllowed { .. }) => {
                self.shared.state().standing = Standing::Ended;
            }
            Err(error) => {
                // The old token works until it expires; then mailstore refuses and commands answer [SYS/TEMP].
                tracing::debug!(%error, "session token not renewed, trying again");
                self.next_renewal = self.clock.instant() + RETRY;
            }
        }
    }
}

/// How long the token needs no renewal; never nothing, so that a clock that is behind cannot make a busy loop.
fn until(clock: &dyn Clock, session: &Session) -> Duration {
    let now: chrono::DateTime<chrono::Utc> = clock.now().into();
    (session.renew_at - now).to_std().unwrap_or_default().max(Duration::from_secs(1))
}
