use super::*;
use crate::{
    Account, AccountState, AccountUpdate, AliasTarget, DirectoryError, Page, Quota, RecipientResolution,
    ShardName,
};

const ALICE: &str = "alice@north.test";

fn is_not_found<T: std::fmt::Debug>(answer: Result<T, DirectoryError>) {
    assert!(matches!(answer, Err(DirectoryError::NotFound { .. })), "{answer:?}");
}

fn is_invalid<T: std::fmt::Debug>(answer: Result<T, DirectoryError>) {
    assert!(matches!(answer, Err(DirectoryError::Invalid { .. })), "{answer:?}");
}

fn is_conflict<T: std::fmt::Debug>(answer: Result<T, DirectoryError>) {
    assert!(matches!(answer, Err(DirectoryError::Conflict { .. })), "{answer:?}");
}

fn exists_already<T: std::fmt::Debug>(answer: Result<T, DirectoryError>) {
    assert!(matches!(answer, Err(DirectoryError::AlreadyExists { .. })), "{answer:?}");
}

pub(super) async fn domains(h: Harness) {
    let admin = h.admin();
    is_not_found(admin.domain(&domain("north.test")).await);
    h.add_domain("south.test").await;
    h.add_domain("North.Test").await;
    exists_already(admin.create_domain(&DomainSpec { name: domain("north.test") }).await);
    let found = admin.domain(&domain("north.test")).await.unwrap();
    let listed = admin.list_domains(&Page::default()).await.unwrap();
    assert_eq!(listed.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["north.test", "south.test"]);
    assert_eq!(listed[0], found);

    h.add_account(ALICE).await;
    is_conflict(admin.delete_domain(&domain("north.test")).await);
    is_not_found(admin.set_catch_all(&domain("south.test"), Some(&address("ghost@north.test"))).await);
    is_not_found(admin.set_catch_all(&domain("west.test"), Some(&address(ALICE))).await);
    let south = admin.set_catch_all(&domain("south.test"), Some(&address("Alice@north.test"))).await.unwrap();
    assert_eq!(south.catch_all, Some(address(ALICE)));
    assert_eq!(admin.domain(&domain("south.test")).await.unwrap(), south);
    assert_eq!(admin.list_domains(&Page::default()).await.unwrap()[1], south);
    admin.delete_domain(&domain("south.test")).await.unwrap();
    is_not_found(admin.delete_domain(&domain("south.test")).await);
    // Nothing of it is left behind for a domain that takes the name again.
    h.add_domain("south.test").await;
    assert_eq!(admin.domain(&domain("south.test")).await.unwrap().catch_all, None);
}

pub(super) async fn accounts(h: Harness) {
    let admin = h.admin();
    is_not_found(admin.create_account(spec(ALICE)).await);
    h.add_domain("north.test").await;
    is_invalid(admin.create_account(AccountSpec { password: "".into(), ..spec(ALICE) }).await);
    is_invalid(admin.create_account(AccountSpec { password: "x".repeat(2000).into(), ..spec(ALICE) }).await);
    let quota = Quota { bytes: 1 << 40, messages: 7 };
    let wanted = AccountSpec {
        quota: Some(quota),
        budget: Some(BUDGET),
        shard: Some(ShardName("second".to_owned())),
        ..spec("Alice@North.test")
    };
    let alice = admin.create_account(wanted).await.unwrap();
    assert_eq!(alice.address.to_string(), ALICE);
    assert_eq!((alice.quota, alice.budget, alice.shard.0.as_str()), (quota, Some(BUDGET), "second"));
    assert_eq!(alice.state, AccountState::Active);
    exists_already(admin.create_account(spec("ALICE@north.test")).await);
    assert_eq!(admin.account(&address("alice@NORTH.test")).await.unwrap(), alice);
    is_not_found(admin.account(&address("bob@north.test")).await);

    // An update changes what it names and nothing else.
    let less = Quota { bytes: 5, messages: 0 };
    let update = AccountUpdate { quota: Some(less), ..AccountUpdate::default() };
    let changed = admin.update_account(&address(ALICE), update).await.unwrap();
    assert_eq!(changed, Account { quota: less, ..alice.clone() });
    let update = AccountUpdate { state: Some(AccountState::Disabled), ..AccountUpdate::default() };
    let changed = admin.update_account(&address(ALICE), update).await.unwrap();
    assert_eq!(changed, Account { quota: less, state: AccountState::Disabled, ..alice.clone() });
    let update = AccountUpdate { budget: Some(None), ..AccountUpdate::default() };
    let changed = admin.update_account(&address(ALICE), update).await.unwrap();
    assert_eq!(changed.budget, None);
    assert_eq!(admin.account(&address(ALICE)).await.unwrap(), changed);
    assert_eq!(admin.update_account(&address(ALICE), AccountUpdate::default()).await.unwrap(), changed);
    let update = AccountUpdate { state: Some(AccountState::Deleting), ..AccountUpdate::default() };
    is_invalid(admin.update_account(&address(ALICE), update).await);
    is_not_found(admin.update_account(&address("bob@north.test"), AccountUpdate::default()).await);
    is_not_found(admin.set_password(&address("bob@north.test"), "x".into()).await);
    is_invalid(admin.set_password(&address(ALICE), "".into()).await);
}

pub(super) async fn pages(h: Harness) {
    h.add_domain("north.test").await;
    h.add_domain("south.test").await;
    for text in ["c@north.test", "a@south.test", "b@north.test", "d@north.test"] {
        h.add_account(text).await;
    }
    let admin = h.admin();
    let north = domain("north.test");
    let mut seen = Vec::new();
    let mut page = Page { after: None, limit: 2 };
    loop {
        let accounts = admin.list_accounts(Some(&north), &page).await.unwrap();
        let Some(last) = accounts.last() else { break };
        assert!(accounts.len() <= 2);
        page.after = Some(last.address.to_string());
        seen.extend(accounts.iter().map(|account| account.address.to_string()));
    }
    assert_eq!(seen, ["b@north.test", "c@north.test", "d@north.test"]);
    let all = admin.list_accounts(None, &Page { after: None, limit: 0 }).await.unwrap();
    let all: Vec<String> = all.iter().map(|account| account.address.to_string()).collect();
    assert_eq!(all, ["a@south.test", "b@north.test", "c@north.test", "d@north.test"]);
    let domains = admin.list_domains(&Page { after: Some("north.test".to_owned()), limit: 5 }).await.unwrap();
    assert_eq!(domains.len(), 1);
}

pub(super) async fn aliases(h: Harness) {
    let admin = h.admin();
    h.add_domain("north.test").await;
    h.add_account(ALICE).await;
    h.add_account("bob@north.test").await;
    let put = |alias: &str, targets: &[&str]| {
        let targets = targets.iter().map(|text| address(text)).collect();
        let alias = AliasTarget { address: address(alias), targets };
        let admin = h.admin();
        async move { admin.put_alias(&alias).await }
    };
    is_not_found(put("team@south.test", &[ALICE]).await);
    is_not_found(put("team@north.test", &[ALICE, "ghost@north.test"]).await);
    is_invalid(put("team@north.test", &[]).await);
    is_invalid(put("team@north.test", &vec![ALICE; 101]).await);
    exists_already(put("bob@north.test", &[ALICE]).await);
    let team = put("Team@north.test", &["bob@north.test", ALICE, ALICE]).await.unwrap();
    assert_eq!(team.address, address("team@north.test"));
    assert_eq!(team.targets, [address(ALICE), address("bob@north.test")]);
    exists_already(admin.create_account(spec("team@north.test")).await);
    is_conflict(admin.account(&address("team@north.test")).await);
    let team = put("team@north.test", &["bob@north.test"]).await.unwrap();
    assert_eq!(team.targets, [address("bob@north.test")]);
    assert_eq!(admin.account(&address("team@north.test")).await.unwrap().address, address("bob@north.test"));
    let shop = put("shop@north.test", &["team@north.test"]).await.unwrap();
    assert_eq!(shop.targets, [address("bob@north.test")]);
    let listed = admin.list_aliases(Some(&domain("north.test")), &Page::default()).await.unwrap();
    assert_eq!(listed, [shop.clone(), team.clone()]);
    let page = Page { after: Some(shop.address.to_string()), limit: 1 };
    assert_eq!(admin.list_aliases(None, &page).await.unwrap(), [team]);
    admin.delete_alias(&address("TEAM@north.test")).await.unwrap();
    is_not_found(admin.delete_alias(&address("team@north.test")).await);
    is_not_found(admin.delete_alias(&address(ALICE)).await);
    let answer = h.ingress().resolve_recipients(&[address("team@north.test")]).await.unwrap();
    assert_eq!(answer, [RecipientResolution::UnknownUser]);
}

pub(super) async fn deletion(h: Harness) {
    let admin = h.admin();
    h.add_domain("north.test").await;
    let alice = h.add_account(ALICE).await;
    h.add_account("bob@north.test").await;
    for (alias, targets) in
        [("one@north.test", vec![ALICE]), ("two@north.test", vec![ALICE, "bob@north.test"])]
    {
        let targets = targets.into_iter().map(address).collect();
        admin.put_alias(&AliasTarget { address: address(alias), targets }).await.unwrap();
    }
    admin.set_catch_all(&domain("north.test"), Some(&address(ALICE))).await.unwrap();
    let session = h.gateway().login(attempt(ALICE, ALICE, "192.0.2.1")).await.unwrap();

    is_conflict(admin.finish_delete_account(alice).await);
    for _ in 0..2 {
        let account = admin.begin_delete_account(&address(ALICE)).await.unwrap();
        assert_eq!((account.id, account.state), (alice, AccountState::Deleting));
    }
    let error = h.gateway().login(attempt(ALICE, ALICE, "192.0.2.1")).await.unwrap_err();
    assert_eq!(error, DirectoryError::AuthenticationFailed);
    assert_eq!(h.gateway().renew(&session.handle).await.unwrap_err(), DirectoryError::SessionEnded);
    let asked = [address(ALICE), address("one@north.test"), address("stray@north.test")];
    let answers = h.ingress().resolve_recipients(&asked).await.unwrap();
    assert_eq!(answers, vec![RecipientResolution::UnknownUser; 3]);
    // It is still there for whoever purges it, but nothing brings it back.
    is_conflict(admin.update_account(&address(ALICE), AccountUpdate::default()).await);
    is_conflict(admin.set_password(&address(ALICE), "new".into()).await);
    exists_already(admin.create_account(spec(ALICE)).await);

    for _ in 0..2 {
        admin.finish_delete_account(alice).await.unwrap();
    }
    is_not_found(admin.account(&address(ALICE)).await);
    is_not_found(admin.begin_delete_account(&address(ALICE)).await);
    let left = admin.list_aliases(None, &Page::default()).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].targets, [address("bob@north.test")]);
    assert_eq!(admin.domain(&domain("north.test")).await.unwrap().catch_all, None);
    // The name is free again, the id is not.
    assert!(h.add_account(ALICE).await > alice);
    assert_eq!(h.gateway().renew(&session.handle).await.unwrap_err(), DirectoryError::SessionEnded);
}
