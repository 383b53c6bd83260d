//! The contract of the directory port: every implementation passes [`suite`].
//!
//! The suite runs on the in-memory fake, on the service with a real PostgreSQL, and through a gRPC round trip. It owns the
//! time: a [`Harness`] comes with the [`Manual`] clock that its directory reads, and the suite moves it.

#![expect(clippy::unwrap_used, reason = "a broken promise ends the suite")]

mod administration;
mod authentication;
mod budgets;
mod resolution;
mod round_trip;

pub use round_trip::over_grpc;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use staffetta_chassis::clock::Manual;
use staffetta_message::address::{Address, Domain};

use crate::token::TokenVerifier;
use crate::{AccountId, AccountSpec, Directory, DomainSpec, LoginRequest, Scope, SendingBudget, Workloads};

/// Failures of one (login, address) pair that lock it, in the directory under test.
pub const PAIR_FAILURES: u32 = 3;
/// Failures of one address that lock it, in the directory under test.
pub const ADDRESS_FAILURES: u32 = 6;
/// How long a lock lasts, in the directory under test.
pub const LOCK: Duration = Duration::from_secs(300);
/// What an account, and a sender address, may send by default, in the directory under test.
pub const BUDGET: SendingBudget = SendingBudget {
    messages_per_hour: 5,
    messages_per_day: 8,
    recipients_per_hour: 40,
    recipients_per_day: 60,
};

/// An empty directory with the limits of this module, and what the suite needs to drive it.
pub struct Harness {
    /// The clock that the directory reads; the suite moves it.
    pub clock: Manual,
    /// The directory, as each workload sees it.
    pub directory: Arc<dyn Workloads>,
    /// Trusts the directory's tokens.
    pub verifier: TokenVerifier,
    /// Whatever must live as long as the directory (a server, a database).
    pub keep: Box<dyn std::any::Any + Send + Sync>,
}

/// Runs every case, each on a directory of its own from `make`.
///
/// # Panics
/// At the first promise that is not kept.
pub async fn suite<M, F>(make: M)
where
    M: Fn() -> F,
    F: Future<Output = Harness>,
{
    type Case = fn(Harness) -> BoxFuture<'static, ()>;
    let cases: &[(&str, Case)] = &[
        ("right login opens a session", |h| authentication::right_login(h).boxed()),
        ("wrong login", |h| authentication::wrong_login(h).boxed()),
        ("pair lock", |h| authentication::pair_is_locked_out(h).boxed()),
        ("address lock", |h| authentication::address_is_locked_out(h).boxed()),
        ("nobody locks a stranger out", |h| authentication::login_alone_is_never_locked(h).boxed()),
        ("disabled account", |h| authentication::disabled_account(h).boxed()),
        ("renewal", |h| authentication::renewal(h).boxed()),
        ("renewal after a password change", |h| authentication::password_change_ends_sessions(h).boxed()),
        ("recipients", |h| resolution::recipients(h).boxed()),
        ("precedence", |h| resolution::precedence(h).boxed()),
        ("senders", |h| resolution::senders(h).boxed()),
        ("charges once", |h| budgets::a_transaction_is_charged_once(h).boxed()),
        ("exact under concurrency", |h| budgets::limit_is_exact_under_concurrency(h).boxed()),
        ("refund", |h| budgets::refund_gives_back(h).boxed()),
        ("windows", |h| budgets::windows_of_hour_and_day(h).boxed()),
        ("recipients and own budgets", |h| budgets::recipients_and_own_budgets(h).boxed()),
        ("sender addresses", |h| budgets::sender_addresses_have_budgets(h).boxed()),
        ("domains", |h| administration::domains(h).boxed()),
        ("accounts", |h| administration::accounts(h).boxed()),
        ("pages", |h| administration::pages(h).boxed()),
        ("aliases", |h| administration::aliases(h).boxed()),
        ("deletion", |h| administration::deletion(h).boxed()),
    ];
    for (name, case) in cases {
        tracing::info!(name, "contract case");
        case(make().await).await;
    }
}

impl Harness {
    /// The directory as administrators see it.
    fn admin(&self) -> Arc<dyn Directory> {
        self.directory.for_workload("ctl")
    }

    /// The directory as the IMAP gateway sees it.
    fn gateway(&self) -> Arc<dyn Directory> {
        self.directory.for_workload("imap-gateway")
    }

    /// The directory as the ingress sees it.
    fn ingress(&self) -> Arc<dyn Directory> {
        self.directory.for_workload("smtp-ingress")
    }

    async fn add_domain(&self, name: &str) {
        self.admin().create_domain(&DomainSpec { name: domain(name) }).await.unwrap();
    }

    /// Adds an account; its password is its address.
    async fn add_account(&self, text: &str) -> AccountId {
        self.admin().create_account(spec(text)).await.unwrap().id
    }

    /// Waits for `future`, moving the clock until it is done: for calls that the directory may slow.
    async fn patiently<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        loop {
            tokio::select! {
                biased;
                output = &mut future => return output,
                () = tokio::time::sleep(Duration::from_millis(10)) => self.clock.advance(Duration::from_millis(100)),
            }
        }
    }
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

fn spec(text: &str) -> AccountSpec {
    AccountSpec { address: address(text), password: text.into(), quota: None, budget: None, shard: None }
}

fn attempt(login: &str, password: &str, client: &str) -> LoginRequest {
    LoginRequest {
        login: login.to_owned(),
        password: SecretString::from(password),
        scopes: Scope::Imap.into(),
        client: client.parse().unwrap(),
    }
}
