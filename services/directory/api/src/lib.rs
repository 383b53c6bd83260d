//! The directory port: who exists, who may log in, where an address leads and how much one may send.
//!
//! Callers depend on this crate, never on the service. It holds the traits ([`Authentication`], [`Resolution`],
//! [`Budgets`], [`Administration`]), their domain types and errors, an in-memory fake, the contract suite every
//! implementation passes, and the gRPC client and server adapters.
//!
//! Invariants
//! - A password leaves the caller only inside [`LoginRequest`]; nothing here ever returns or logs one.
//! - A [`SessionToken`] is signed by directory alone; everybody else can only verify it ([`token`]).
//! - Resolution answers local addresses only; a domain that is not ours is [`RecipientResolution::Remote`].
//! - A session belongs to the workload that logged in; implementations learn it through [`Workloads`].

pub mod account;
pub mod administration;
pub mod authentication;
pub mod budget;
pub mod contract;
pub mod error;
pub mod grpc;
pub mod lookup;
pub mod memory;
pub mod resolution;
pub mod token;
pub mod workload;

pub use account::{AccountId, AccountState, Quota, ShardEpoch, ShardName};
pub use administration::{
    Account, AccountSpec, AccountUpdate, Administration, Alias, AliasTarget, Domain, DomainSpec, Page,
};
pub use authentication::{Authentication, LoginRequest, Scope, Scopes, Session, SessionHandle, SessionToken};
pub use budget::{BudgetCharge, BudgetOutcome, Budgets, SendingBudget};
pub use error::DirectoryError;
pub use resolution::{RecipientResolution, Resolution, ResolvedAccount, SenderResolution};
pub use workload::Workloads;

/// Everything directory answers, for callers that need all of it.
pub trait Directory: Authentication + Resolution + Budgets + Administration {}

impl<T: Authentication + Resolution + Budgets + Administration + ?Sized> Directory for T {}
