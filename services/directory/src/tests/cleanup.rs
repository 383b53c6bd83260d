use staffetta_directory_api::{BudgetCharge, BudgetOutcome};
use uuid::Uuid;

use super::*;
use crate::cleanup::Cleanup;
use crate::config::CleanupConfig;

#[tokio::test]
async fn only_what_no_window_and_no_handle_needs_is_removed() {
    let site = Site::new().await;
    let pod = site.pod().await;
    let alice = pod.add_account("alice@north.test", "pw").await;
    let charge = || BudgetCharge { transaction: Uuid::new_v4(), account: alice, sender: None, recipients: 1 };
    let ingress = pod.as_workload("smtp-ingress");
    let session = ingress.login(attempt("alice@north.test", "pw")).await.unwrap();
    ingress.logout(&session.handle).await.unwrap();
    for _ in 0..5 {
        assert_eq!(ingress.charge(&charge()).await.unwrap(), BudgetOutcome::Charged);
    }
    let config = CleanupConfig { rows: 2, pause: Duration::ZERO, ..CleanupConfig::default() };
    let cleanup = Cleanup { pool: pod.pool.clone(), clock: Arc::new(site.clock.clone()), config };

    site.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(cleanup.round().await.unwrap(), 0, "all of it still counts");
    site.clock.advance(Duration::from_secs(3 * 60 * 60));
    assert_eq!(ingress.charge(&charge()).await.unwrap(), BudgetOutcome::Charged);
    assert_eq!(cleanup.round().await.unwrap(), 5, "the usage row was written a moment ago");
    assert_eq!(pod.count("SELECT count(*) FROM budget_charge").await, 1);
    site.clock.advance(Duration::from_secs(27 * 60 * 60));
    assert_eq!(cleanup.round().await.unwrap(), 2);
    site.clock.advance(site.config().tokens.session_life);
    assert_eq!(cleanup.round().await.unwrap(), 1);
    assert_eq!(pod.count("SELECT count(*) FROM ended_session").await, 0);
    assert_eq!(ingress.charge(&charge()).await.unwrap(), BudgetOutcome::Charged);
}
