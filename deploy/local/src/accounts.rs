//! The demo domains and accounts, made once.

use secrecy::SecretString;
use staffetta_directory_api::{AccountSpec, Administration, AliasTarget, DirectoryError, DomainSpec};
use staffetta_message::address::{Address, Domain};

/// The password of every demo account.
pub const PASSWORD: &str = "staffetta";

/// The demo accounts of a site.
pub const NAMES: [&str; 3] = ["alice", "bob", "carol"];

/// Makes the domain, the accounts and the postmaster alias. What exists already stays as it is.
///
/// # Errors
/// Directory is away or refuses.
pub async fn make(directory: &dyn Administration, domain: &str) -> anyhow::Result<()> {
    let name: Domain = domain.parse()?;
    kept(directory.create_domain(&DomainSpec { name }).await.map(drop))?;
    for address in addresses(domain) {
        let spec = AccountSpec {
            address: address.parse()?,
            password: SecretString::from(PASSWORD),
            quota: None,
            budget: None,
            shard: None,
        };
        kept(directory.create_account(spec).await.map(drop))?;
    }
    let alias = AliasTarget {
        address: format!("postmaster@{domain}").parse()?,
        targets: vec![format!("{}@{domain}", NAMES[0]).parse::<Address>()?],
    };
    kept(directory.put_alias(&alias).await.map(drop))
}

/// The addresses of a site's demo accounts.
#[must_use]
pub fn addresses(domain: &str) -> Vec<String> {
    NAMES.iter().map(|name| format!("{name}@{domain}")).collect()
}

fn kept(result: Result<(), DirectoryError>) -> anyhow::Result<()> {
    match result {
        Ok(()) | Err(DirectoryError::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
