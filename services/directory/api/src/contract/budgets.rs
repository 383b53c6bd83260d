use std::time::Duration;

use futures_util::future::join_all;
use uuid::Uuid;

use super::*;
use crate::{AccountUpdate, BudgetCharge, BudgetOutcome};

const ALICE: &str = "alice@north.test";
const HOUR: Duration = Duration::from_secs(60 * 60);

async fn with_alice(h: &Harness) -> AccountId {
    h.add_domain("north.test").await;
    h.add_account(ALICE).await
}

fn charge(account: AccountId, sender: &str, recipients: u32) -> BudgetCharge {
    let sender = (!sender.is_empty()).then(|| address(sender));
    BudgetCharge { transaction: Uuid::new_v4(), account, sender, recipients }
}

async fn pay(h: &Harness, charge: &BudgetCharge) -> Option<(String, Duration)> {
    match h.ingress().charge(charge).await.unwrap() {
        BudgetOutcome::Charged => None,
        BudgetOutcome::Exceeded { reason, retry_after } => Some((reason, retry_after)),
    }
}

pub(super) async fn a_transaction_is_charged_once(h: Harness) {
    let alice = with_alice(&h).await;
    let first = charge(alice, ALICE, 1);
    for _ in 0..BUDGET.messages_per_hour * 2 {
        assert_eq!(pay(&h, &first).await, None);
    }
    for _ in 1..BUDGET.messages_per_hour {
        assert_eq!(pay(&h, &charge(alice, ALICE, 1)).await, None);
    }
    let (reason, retry_after) = pay(&h, &charge(alice, ALICE, 1)).await.expect("the budget is used up");
    assert!(reason.contains("5 messages per hour") && reason.contains(ALICE), "{reason}");
    assert!(retry_after > Duration::ZERO && retry_after <= HOUR + Duration::from_secs(60), "{retry_after:?}");
    // What was charged stays charged, also when asked again now.
    assert_eq!(pay(&h, &first).await, None);
}

pub(super) async fn limit_is_exact_under_concurrency(h: Harness) {
    let alice = with_alice(&h).await;
    let charges: Vec<BudgetCharge> = (0..24).map(|_| charge(alice, ALICE, 1)).collect();
    // Every charge twice at the same time, as after a lost answer.
    let answers = join_all(charges.iter().chain(&charges).map(|charge| pay(&h, charge))).await;
    let (first, second) = answers.split_at(charges.len());
    let paid: Vec<usize> =
        (0..charges.len()).filter(|i| first[*i].is_none() || second[*i].is_none()).collect();
    assert_eq!(paid.len(), BUDGET.messages_per_hour as usize);
}

pub(super) async fn refund_gives_back(h: Harness) {
    let alice = with_alice(&h).await;
    let charges: Vec<BudgetCharge> = (0..BUDGET.messages_per_hour).map(|_| charge(alice, ALICE, 1)).collect();
    for charge in &charges {
        assert_eq!(pay(&h, charge).await, None);
    }
    assert!(pay(&h, &charge(alice, ALICE, 1)).await.is_some());
    // Once, however often it is asked for.
    for _ in 0..3 {
        h.ingress().refund(charges[2].transaction).await.unwrap();
    }
    h.ingress().refund(Uuid::new_v4()).await.unwrap();
    assert_eq!(pay(&h, &charge(alice, ALICE, 1)).await, None);
    assert!(pay(&h, &charge(alice, ALICE, 1)).await.is_some());
}

pub(super) async fn windows_of_hour_and_day(h: Harness) {
    let alice = with_alice(&h).await;
    for _ in 0..BUDGET.messages_per_hour {
        assert_eq!(pay(&h, &charge(alice, ALICE, 1)).await, None);
        h.clock.advance(Duration::from_secs(5 * 60));
    }
    // 25 minutes after the first charge: it leaves the window in about 35.
    let (_, retry_after) = pay(&h, &charge(alice, ALICE, 1)).await.expect("the hour is used up");
    assert!(retry_after >= HOUR / 2 && retry_after <= HOUR * 2 / 3, "{retry_after:?}");
    h.clock.advance(retry_after);
    assert_eq!(pay(&h, &charge(alice, ALICE, 1)).await, None);
    assert!(pay(&h, &charge(alice, ALICE, 1)).await.is_some());
    h.clock.advance(HOUR + Duration::from_secs(60));
    for _ in 0..BUDGET.messages_per_day - BUDGET.messages_per_hour - 1 {
        assert_eq!(pay(&h, &charge(alice, ALICE, 1)).await, None);
    }
    let (reason, retry_after) = pay(&h, &charge(alice, ALICE, 1)).await.expect("the day is used up");
    assert!(reason.contains("8 messages per day"), "{reason}");
    assert!(retry_after > HOUR * 20 && retry_after <= HOUR * 25, "{retry_after:?}");
    h.clock.advance(retry_after);
    assert_eq!(pay(&h, &charge(alice, ALICE, 1)).await, None);
}

pub(super) async fn recipients_and_own_budgets(h: Harness) {
    let alice = with_alice(&h).await;
    assert_eq!(pay(&h, &charge(alice, ALICE, 30)).await, None);
    let (reason, _) = pay(&h, &charge(alice, ALICE, 11)).await.expect("40 recipients per hour");
    assert!(reason.contains("40 recipients per hour"), "{reason}");
    assert_eq!(pay(&h, &charge(alice, ALICE, 10)).await, None);
    // More than a whole window holds never fits, and says so without overflowing.
    assert!(pay(&h, &charge(alice, ALICE, u32::MAX)).await.is_some());
    let own = SendingBudget {
        messages_per_hour: 3,
        messages_per_day: 0,
        recipients_per_hour: 0,
        recipients_per_day: 0,
    };
    let update = |budget| AccountUpdate { budget: Some(budget), ..AccountUpdate::default() };
    let account = h.admin().update_account(&address(ALICE), update(Some(own))).await.unwrap();
    assert_eq!(account.budget, Some(own));
    assert_eq!(pay(&h, &charge(alice, ALICE, 1000)).await, None);
    let (reason, _) = pay(&h, &charge(alice, ALICE, 1)).await.expect("3 messages per hour");
    assert!(reason.contains("3 messages per hour"), "{reason}");
    let account = h.admin().update_account(&address(ALICE), update(None)).await.unwrap();
    assert_eq!(account.budget, None);
    let (reason, _) = pay(&h, &charge(alice, ALICE, 1)).await.expect("recipients are used up");
    assert!(reason.contains("recipients per"), "{reason}");
}

pub(super) async fn sender_addresses_have_budgets(h: Harness) {
    let alice = with_alice(&h).await;
    let bob = h.add_account("bob@north.test").await;
    for _ in 0..BUDGET.messages_per_hour {
        assert_eq!(pay(&h, &charge(alice, "Team@north.test", 1)).await, None);
    }
    // Bob has sent nothing, but the address has.
    let (reason, _) = pay(&h, &charge(bob, "team@north.test", 1)).await.expect("the address is used up");
    assert!(reason.contains("team@north.test"), "{reason}");
    // The refusal charged neither of the two, and the null sender is paid by the account alone.
    for _ in 0..BUDGET.messages_per_hour {
        assert_eq!(pay(&h, &charge(bob, "", 1)).await, None);
    }
    let (reason, _) = pay(&h, &charge(bob, "", 1)).await.expect("the account is used up");
    assert!(reason.contains("bob@north.test"), "{reason}");
}
