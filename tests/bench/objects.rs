//! What a slow object store costs: PUTs per mail and the rate of acceptance when each request takes 20 ms.

use std::time::Duration;

use staffetta_tests::cluster::{Cluster, PASSWORD, Setup};

use crate::accept;
use crate::report::Measure;
use crate::target::{RECEIVERS, Target};

/// What S3 in the same region takes for a small object.
const DELAY: Duration = Duration::from_millis(20);

/// Runs processes of their own on an S3 endpoint that answers slowly. PostgreSQL runs without fsync here: what is counted is the
/// object store.
pub(crate) async fn slow_store(
    sessions: usize,
    messages: usize,
    size: usize,
) -> anyhow::Result<Vec<Measure>> {
    let mut measures = Vec::new();
    Cluster::run(Setup::one(), async |cluster| {
        let site = cluster.site(0);
        for number in 1..=RECEIVERS {
            site.create_account(&format!("user{number}"), None).await?;
        }
        let layout = site.layout();
        let target = Target {
            name: "slow store".to_owned(),
            host: layout.host.to_string(),
            smtp: layout.ports.smtp,
            imap: layout.ports.imap,
            pop3: layout.ports.pop3,
            domain: site.domain().to_owned(),
            user: "user".to_owned(),
            password: PASSWORD.to_owned(),
        };
        cluster.s3.delay(DELAY);
        let before = cluster.s3.puts();
        let accepted = accept::submit_to_visible(&target, sessions, messages, size).await?;
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let ratio = (cluster.s3.puts() - before) as f64 / messages as f64;
        let name = format!("object PUTs per mail at 20 ms, {sessions} sessions");
        measures.push(Measure { name, value: ratio, unit: "", more_is_better: false });
        measures.extend(
            accepted
                .into_iter()
                .filter(|measure| measure.name.starts_with("mail accepted"))
                .map(|measure| Measure { name: format!("{} (20 ms store)", measure.name), ..measure }),
        );
        Ok(())
    })
    .await;
    Ok(measures)
}
