//! `staffetta alias`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use staffetta_directory_api::{Administration as _, Alias, AliasTarget};

use super::{Deleted, all_pages};
use crate::arguments::AliasCommand;
use crate::error::CtlError;
use crate::output::{Column, Output, time};
use crate::platform::Platform;

/// An alias as it is written.
#[derive(Serialize)]
struct View {
    address: String,
    targets: Vec<String>,
    changed_at: DateTime<Utc>,
}

impl From<Alias> for View {
    fn from(alias: Alias) -> Self {
        Self {
            address: alias.address.to_string(),
            targets: alias.targets.iter().map(ToString::to_string).collect(),
            changed_at: alias.created_at,
        }
    }
}

pub(super) async fn run(
    command: AliasCommand,
    platform: &Platform,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let directory = platform.directory()?;
    match command {
        AliasCommand::List(list) => {
            let domain = list.domain.as_ref();
            let fetch = async |page| directory.blame(directory.port.list_aliases(domain, &page).await);
            let aliases = all_pages(fetch, |alias: &Alias| alias.address.to_string()).await?;
            let views: Vec<View> = aliases.into_iter().map(View::from).collect();
            output.list(
                &views,
                &[
                    Column::left("ALIAS", |view: &View| view.address.clone()),
                    Column::left("TARGETS", |view| view.targets.join(", ")),
                    Column::left("CHANGED", |view| time(view.changed_at)),
                ],
            )
        }
        AliasCommand::Create(create) => {
            let spec = AliasTarget { address: create.alias, targets: create.targets };
            let view = View::from(directory.blame(directory.port.put_alias(&spec).await)?);
            output.done(&view, &format!("{} leads to {}", view.address, view.targets.join(", ")))
        }
        AliasCommand::Delete(name) => {
            directory.blame(directory.port.delete_alias(&name.alias).await)?;
            let deleted = name.alias.to_string();
            let sentence = format!("deleted alias {deleted}");
            output.done(&Deleted { deleted }, &sentence)
        }
    }
}
