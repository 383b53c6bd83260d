//! Between the port's types and the wire's. What comes from the wire is checked here.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use staffetta_message::address::{Address, Domain as DomainName};
use staffetta_proto::directory::v1 as wire;
use uuid::Uuid;

use crate::{
    Account, AccountId, AccountState, Alias, DirectoryError, Domain, Page, Quota, RecipientResolution,
    ResolvedAccount, Scope, Scopes, SendingBudget, Session, SessionHandle, SessionToken, ShardEpoch,
    ShardName,
};

type Answer<T> = Result<T, DirectoryError>;

pub(super) fn invalid(what: &str) -> DirectoryError {
    DirectoryError::Invalid { message: format!("{what} is not valid") }
}

pub(super) fn present<T>(field: Option<T>, what: &str) -> Answer<T> {
    field.ok_or_else(|| DirectoryError::Invalid { message: format!("{what} is missing") })
}

pub(super) fn address(text: &str) -> Answer<Address> {
    text.parse().map_err(|_| invalid("address"))
}

pub(super) fn addresses(texts: &[String]) -> Answer<Vec<Address>> {
    texts.iter().map(|text| address(text)).collect()
}

pub(super) fn domain_name(text: &str) -> Answer<DomainName> {
    text.parse().map_err(|_| invalid("domain"))
}

pub(super) fn texts(addresses: &[Address]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

pub(super) fn transaction(octets: &[u8]) -> Answer<Uuid> {
    Uuid::from_slice(octets).map_err(|_| invalid("transaction id"))
}

pub(super) fn transaction_octets(id: Uuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

fn instant(micros: i64) -> Answer<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| invalid("instant"))
}

pub(super) fn scopes(codes: &[i32]) -> Answer<Scopes> {
    let scope = |code: &i32| match wire::Scope::try_from(*code) {
        Ok(wire::Scope::Imap) => Ok(Scope::Imap),
        Ok(wire::Scope::Pop3) => Ok(Scope::Pop3),
        Ok(wire::Scope::Submit) => Ok(Scope::Submit),
        Ok(wire::Scope::Unspecified) | Err(_) => Err(invalid("scope")),
    };
    codes.iter().map(scope).collect()
}

pub(super) fn scope_codes(scopes: Scopes) -> Vec<i32> {
    let code = |scope: Scope| match scope {
        Scope::Imap => wire::Scope::Imap,
        Scope::Pop3 => wire::Scope::Pop3,
        Scope::Submit => wire::Scope::Submit,
    };
    scopes.iter().map(|scope| code(scope).into()).collect()
}

/// `None` for unspecified.
pub(super) fn state(code: i32) -> Answer<Option<AccountState>> {
    match wire::AccountState::try_from(code) {
        Ok(wire::AccountState::Unspecified) => Ok(None),
        Ok(wire::AccountState::Active) => Ok(Some(AccountState::Active)),
        Ok(wire::AccountState::Disabled) => Ok(Some(AccountState::Disabled)),
        Ok(wire::AccountState::Deleting) => Ok(Some(AccountState::Deleting)),
        Err(_) => Err(invalid("account state")),
    }
}

pub(super) fn state_code(state: AccountState) -> i32 {
    match state {
        AccountState::Active => wire::AccountState::Active,
        AccountState::Disabled => wire::AccountState::Disabled,
        AccountState::Deleting => wire::AccountState::Deleting,
    }
    .into()
}

impl From<Quota> for wire::Quota {
    fn from(quota: Quota) -> Self {
        Self { bytes: quota.bytes, messages: quota.messages }
    }
}

impl From<wire::Quota> for Quota {
    fn from(quota: wire::Quota) -> Self {
        Self { bytes: quota.bytes, messages: quota.messages }
    }
}

impl From<SendingBudget> for wire::SendingBudget {
    fn from(budget: SendingBudget) -> Self {
        Self {
            messages_per_hour: budget.messages_per_hour,
            messages_per_day: budget.messages_per_day,
            recipients_per_hour: budget.recipients_per_hour,
            recipients_per_day: budget.recipients_per_day,
        }
    }
}

impl From<wire::SendingBudget> for SendingBudget {
    fn from(budget: wire::SendingBudget) -> Self {
        Self {
            messages_per_hour: budget.messages_per_hour,
            messages_per_day: budget.messages_per_day,
            recipients_per_hour: budget.recipients_per_hour,
            recipients_per_day: budget.recipients_per_day,
        }
    }
}

impl From<Session> for wire::Session {
    fn from(session: Session) -> Self {
        Self {
            account_id: session.account.0,
            address: session.address.to_string(),
            shard: session.shard.0,
            shard_epoch: session.epoch.0,
            quota: Some(session.quota.into()),
            token: session.token.0.to_string(),
            expires_at_micros: session.expires_at.timestamp_micros(),
            renew_at_micros: session.renew_at.timestamp_micros(),
            handle: session.handle.0,
        }
    }
}

pub(super) fn session(session: Option<wire::Session>) -> Answer<Session> {
    let session = present(session, "session")?;
    Ok(Session {
        account: AccountId(session.account_id),
        address: address(&session.address)?,
        shard: ShardName(session.shard),
        epoch: ShardEpoch(session.shard_epoch),
        quota: present(session.quota, "quota")?.into(),
        token: SessionToken(session.token.into()),
        expires_at: instant(session.expires_at_micros)?,
        renew_at: instant(session.renew_at_micros)?,
        handle: SessionHandle(session.handle),
    })
}

impl From<RecipientResolution> for wire::RecipientResolution {
    fn from(resolution: RecipientResolution) -> Self {
        use wire::recipient_resolution::Resolution;

        let resolution = match resolution {
            RecipientResolution::Remote => Resolution::Remote(wire::RemoteDomain {}),
            RecipientResolution::UnknownUser => Resolution::UnknownUser(wire::UnknownUser {}),
            RecipientResolution::Local(accounts) => {
                let accounts = accounts.into_iter().map(wire::ResolvedAccount::from).collect();
                Resolution::Local(wire::LocalRecipient { accounts })
            }
        };
        Self { resolution: Some(resolution) }
    }
}

impl From<ResolvedAccount> for wire::ResolvedAccount {
    fn from(account: ResolvedAccount) -> Self {
        Self {
            account_id: account.account.0,
            address: account.address.to_string(),
            shard: account.shard.0,
            shard_epoch: account.epoch.0,
            quota: Some(account.quota.into()),
            tag: account.tag,
        }
    }
}

pub(super) fn resolution(resolution: wire::RecipientResolution) -> Answer<RecipientResolution> {
    use wire::recipient_resolution::Resolution;

    match present(resolution.resolution, "resolution")? {
        Resolution::Remote(_) => Ok(RecipientResolution::Remote),
        Resolution::UnknownUser(_) => Ok(RecipientResolution::UnknownUser),
        Resolution::Local(local) if local.accounts.is_empty() => Err(invalid("local recipient")),
        Resolution::Local(local) => {
            local.accounts.into_iter().map(resolved).collect::<Answer<_>>().map(RecipientResolution::Local)
        }
    }
}

fn resolved(account: wire::ResolvedAccount) -> Answer<ResolvedAccount> {
    Ok(ResolvedAccount {
        account: AccountId(account.account_id),
        address: address(&account.address)?,
        shard: ShardName(account.shard),
        epoch: ShardEpoch(account.shard_epoch),
        quota: present(account.quota, "quota")?.into(),
        tag: account.tag,
    })
}

impl From<&Page> for wire::Page {
    fn from(page: &Page) -> Self {
        Self { after: page.after.clone(), limit: page.limit }
    }
}

pub(super) fn page(page: Option<wire::Page>) -> Page {
    page.map_or_else(Page::default, |page| Page { after: page.after, limit: page.limit })
}

impl From<Domain> for wire::Domain {
    fn from(domain: Domain) -> Self {
        Self {
            name: domain.name.to_string(),
            catch_all: domain.catch_all.as_ref().map(ToString::to_string),
            created_at_micros: domain.created_at.timestamp_micros(),
        }
    }
}

pub(super) fn domain(domain: Option<wire::Domain>) -> Answer<Domain> {
    let domain = present(domain, "domain")?;
    Ok(Domain {
        name: domain_name(&domain.name)?,
        catch_all: domain.catch_all.as_deref().map(address).transpose()?,
        created_at: instant(domain.created_at_micros)?,
    })
}

impl From<Account> for wire::Account {
    fn from(account: Account) -> Self {
        Self {
            id: account.id.0,
            address: account.address.to_string(),
            state: state_code(account.state),
            shard: account.shard.0,
            shard_epoch: account.epoch.0,
            quota: Some(account.quota.into()),
            budget: account.budget.map(wire::SendingBudget::from),
            created_at_micros: account.created_at.timestamp_micros(),
        }
    }
}

pub(super) fn account(account: Option<wire::Account>) -> Answer<Account> {
    let account = present(account, "account")?;
    Ok(Account {
        id: AccountId(account.id),
        address: address(&account.address)?,
        state: present(state(account.state)?, "account state")?,
        shard: ShardName(account.shard),
        epoch: ShardEpoch(account.shard_epoch),
        quota: present(account.quota, "quota")?.into(),
        budget: account.budget.map(SendingBudget::from),
        created_at: instant(account.created_at_micros)?,
    })
}

impl From<Alias> for wire::Alias {
    fn from(alias: Alias) -> Self {
        Self {
            address: alias.address.to_string(),
            targets: texts(&alias.targets),
            created_at_micros: alias.created_at.timestamp_micros(),
        }
    }
}

pub(super) fn alias(alias: Option<wire::Alias>) -> Answer<Alias> {
    let alias = present(alias, "alias")?;
    Ok(Alias {
        address: address(&alias.address)?,
        targets: addresses(&alias.targets)?,
        created_at: instant(alias.created_at_micros)?,
    })
}
