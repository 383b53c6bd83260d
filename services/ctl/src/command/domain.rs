//! `staffetta domain`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use staffetta_directory_api::{Administration as _, Domain, DomainSpec};

use super::{Deleted, all_pages};
use crate::arguments::DomainCommand;
use crate::error::CtlError;
use crate::output::{Column, Output, time};
use crate::platform::Platform;

/// A domain as it is written.
#[derive(Serialize)]
struct View {
    name: String,
    catch_all: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<Domain> for View {
    fn from(domain: Domain) -> Self {
        Self {
            name: domain.name.to_string(),
            catch_all: domain.catch_all.map(|address| address.to_string()),
            created_at: domain.created_at,
        }
    }
}

impl View {
    fn catch_all(&self) -> String {
        self.catch_all.clone().unwrap_or_else(|| "-".to_owned())
    }
}

pub(super) async fn run(
    command: DomainCommand,
    platform: &Platform,
    output: &mut Output<'_>,
) -> Result<(), CtlError> {
    let directory = platform.directory()?;
    match command {
        DomainCommand::List => {
            let fetch = async |page| directory.blame(directory.port.list_domains(&page).await);
            let domains = all_pages(fetch, |domain: &Domain| domain.name.to_string()).await?;
            let views: Vec<View> = domains.into_iter().map(View::from).collect();
            output.list(
                &views,
                &[
                    Column::left("DOMAIN", |view: &View| view.name.clone()),
                    Column::left("CATCH-ALL", View::catch_all),
                    Column::left("CREATED", |view| time(view.created_at)),
                ],
            )
        }
        DomainCommand::Show(name) => {
            let view = View::from(directory.blame(directory.port.domain(&name.domain).await)?);
            let fields = [
                ("domain", view.name.clone()),
                ("catch-all", view.catch_all()),
                ("created", time(view.created_at)),
            ];
            output.show(&view, &fields, String::new)
        }
        DomainCommand::Create(name) => {
            let spec = DomainSpec { name: name.domain };
            let view = View::from(directory.blame(directory.port.create_domain(&spec).await)?);
            output.done(&view, &format!("created domain {}", view.name))
        }
        DomainCommand::CatchAll(catch_all) => {
            let set = directory.port.set_catch_all(&catch_all.domain, catch_all.target.as_ref()).await;
            let view = View::from(directory.blame(set)?);
            let sentence = match &view.catch_all {
                Some(target) => format!("mail for unknown users of {} goes to {target}", view.name),
                None => format!("mail for unknown users of {} is refused", view.name),
            };
            output.done(&view, &sentence)
        }
        DomainCommand::Delete(name) => {
            directory.blame(directory.port.delete_domain(&name.domain).await)?;
            let deleted = name.domain.to_string();
            let sentence = format!("deleted domain {deleted}");
            output.done(&Deleted { deleted }, &sentence)
        }
    }
}
