use futures_util::future::join_all;
use staffetta_directory_api::{BudgetCharge, BudgetOutcome, SendingBudget};
use staffetta_message::address::Address;
use uuid::Uuid;

use super::*;

const ALICE: &str = "alice@north.test";

fn charge(account: AccountId) -> BudgetCharge {
    let sender = Some(ALICE.parse().unwrap());
    BudgetCharge { transaction: Uuid::new_v4(), account, sender, recipients: 2 }
}

async fn pay(pod: &Pod, charge: &BudgetCharge) -> bool {
    pod.as_workload("smtp-ingress").charge(charge).await.unwrap() == BudgetOutcome::Charged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limit_is_exact_across_pods_and_restarts() {
    let site = Site::new().await;
    let mut config = site.config();
    let limit = 40;
    let budget = SendingBudget {
        messages_per_hour: limit,
        messages_per_day: 0,
        recipients_per_hour: 0,
        recipients_per_day: 0,
    };
    (config.budgets.account, config.budgets.sender) = (budget, budget);
    // Small batches, so that the pods really take turns.
    config.budgets.batch = 3;
    let pods = [site.pod_with(&config).await, site.pod_with(&config).await, site.pod_with(&config).await];
    let alice = pods[0].add_account(ALICE, "pw").await;
    let charges: Vec<BudgetCharge> = (0..90).map(|_| charge(alice)).collect();
    let answers = join_all(charges.iter().enumerate().map(|(i, charge)| pay(&pods[i % 3], charge))).await;
    assert_eq!(answers.iter().filter(|paid| **paid).count(), limit as usize);
    drop(pods);
    let restarted = site.pod_with(&config).await;
    assert!(!pay(&restarted, &charge(alice)).await);
    // A retry at another pod, after a lost answer: charged already, charged no more.
    let paid = answers.iter().position(|paid| *paid).unwrap();
    assert!(pay(&restarted, &charges[paid]).await);
    restarted.as_workload("smtp-ingress").refund(charges[paid].transaction).await.unwrap();
    assert!(pay(&restarted, &charge(alice)).await);
    assert!(!pay(&restarted, &charge(alice)).await);
    assert_eq!(restarted.count("SELECT count(*) FROM budget_charge").await, i64::from(limit));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charges_and_refunds_of_crossing_senders_end_without_deadlock() {
    let site = Site::new().await;
    let mut config = site.config();
    let unlimited = SendingBudget {
        messages_per_hour: 0,
        messages_per_day: 0,
        recipients_per_hour: 0,
        recipients_per_day: 0,
    };
    (config.budgets.account, config.budgets.sender) = (unlimited, unlimited);
    let pods = [site.pod_with(&config).await, site.pod_with(&config).await];
    let accounts =
        [pods[0].add_account(ALICE, "pw").await, pods[0].add_account("bob@north.test", "pw").await];
    let senders: Vec<Address> = (0..5).map(|i| format!("list{i}@north.test").parse().unwrap()).collect();
    let work = (0..200usize).map(|i| {
        let (pod, account) = (&pods[i % 2], accounts[(i / 2) % 2]);
        let sender = Some(senders[(i * 7) % 5].clone());
        async move {
            let charge = BudgetCharge { transaction: Uuid::new_v4(), account, sender, recipients: 1 };
            assert!(pay(pod, &charge).await);
            if i % 2 == 0 {
                pod.as_workload("smtp-ingress").refund(charge.transaction).await.unwrap();
            }
        }
    });
    join_all(work).await;
    assert_eq!(pods[0].count("SELECT count(*) FROM budget_charge").await, 100);
    let metrics = pods[0].context.metrics_text();
    let batches: usize = metrics
        .lines()
        .find_map(|line| {
            line.strip_prefix("directory_budget_batch_size_count")?.rsplit(' ').next()?.parse().ok()
        })
        .unwrap();
    assert!(batches < 100, "{batches} transactions for 150 requests: they are batched");
}
