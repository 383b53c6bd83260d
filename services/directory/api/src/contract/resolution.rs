use super::*;
use crate::{AccountState, AccountUpdate, AliasTarget, RecipientResolution, SenderResolution};

/// Where each address leads, as text: `remote`, `unknown`, or the accounts in order, each with its `+tag`.
async fn resolve(h: &Harness, addresses: &[&str]) -> Vec<String> {
    let addresses: Vec<Address> = addresses.iter().map(|text| address(text)).collect();
    let answers = h.ingress().resolve_recipients(&addresses).await.unwrap();
    let text = |answer: RecipientResolution| match answer {
        RecipientResolution::Remote => "remote".to_owned(),
        RecipientResolution::UnknownUser => "unknown".to_owned(),
        RecipientResolution::Local(accounts) => {
            let mut texts: Vec<String> = accounts
                .iter()
                .map(|a| {
                    format!("{}{}", a.address, a.tag.as_ref().map(|t| format!(" +{t}")).unwrap_or_default())
                })
                .collect();
            texts.sort();
            texts.join(", ")
        }
    };
    answers.into_iter().map(text).collect()
}

async fn put_alias(h: &Harness, alias: &str, targets: &[&str]) {
    let targets = targets.iter().map(|text| address(text)).collect();
    h.admin().put_alias(&AliasTarget { address: address(alias), targets }).await.unwrap();
}

pub(super) async fn recipients(h: Harness) {
    h.add_domain("north.test").await;
    let alice = h.add_account("alice@north.test").await;
    h.add_account("bob@north.test").await;
    put_alias(&h, "team@north.test", &["alice@north.test", "bob@north.test"]).await;
    let asked = [
        "x@elsewhere.test",
        "ALICE@North.Test",
        "alice+Shop+x@north.test",
        "team@north.test",
        "team+now@north.test",
        "nobody@north.test",
        "nobody+tag@north.test",
        "alice@sub.north.test",
        "alice@north.test",
    ];
    let answers = resolve(&h, &asked).await;
    let expected = [
        "remote",
        "alice@north.test",
        "alice@north.test +Shop+x",
        "alice@north.test, bob@north.test",
        "alice@north.test +now, bob@north.test +now",
        "unknown",
        "unknown",
        "remote",
        "alice@north.test",
    ];
    assert_eq!(answers, expected);
    assert_eq!(h.ingress().resolve_recipients(&[]).await.unwrap(), []);
    let answer = h.ingress().resolve_recipients(&[address("alice@north.test")]).await.unwrap();
    let RecipientResolution::Local(accounts) = &answer[0] else { panic!("{answer:?}") };
    assert_eq!(accounts[0].account, alice);
    assert!(h.ingress().is_local_domain(&domain("NORTH.test")).await.unwrap());
    assert!(!h.ingress().is_local_domain(&domain("elsewhere.test")).await.unwrap());
    // A disabled account still receives.
    let update = AccountUpdate { state: Some(AccountState::Disabled), ..AccountUpdate::default() };
    h.admin().update_account(&address("bob@north.test"), update).await.unwrap();
    assert_eq!(resolve(&h, &["bob@north.test"]).await, ["bob@north.test"]);
}

pub(super) async fn precedence(h: Harness) {
    h.add_domain("north.test").await;
    h.add_domain("south.test").await;
    for text in ["alice@north.test", "bob@north.test", "carol@south.test"] {
        h.add_account(text).await;
    }
    put_alias(&h, "alice+list@north.test", &["bob@north.test"]).await;
    h.admin().set_catch_all(&domain("north.test"), Some(&address("carol@south.test"))).await.unwrap();
    let asked =
        ["alice+list@north.test", "alice+other@north.test", "stray+tag@north.test", "stray@south.test"];
    let expected = ["bob@north.test", "alice@north.test +other", "carol@south.test", "unknown"];
    assert_eq!(resolve(&h, &asked).await, expected);
    // An account that is being deleted answers as unknown: its mail goes to nobody else, not even to the catch-all.
    h.admin().begin_delete_account(&address("alice@north.test")).await.unwrap();
    put_alias(&h, "both@north.test", &["bob@north.test"]).await;
    assert_eq!(resolve(&h, &["alice@north.test", "alice+x@north.test"]).await, ["unknown", "unknown"]);
    h.admin().set_catch_all(&domain("north.test"), None).await.unwrap();
    assert_eq!(resolve(&h, &["stray@north.test"]).await, ["unknown"]);
}

pub(super) async fn senders(h: Harness) {
    h.add_domain("north.test").await;
    h.add_domain("south.test").await;
    let alice = h.add_account("alice@north.test").await;
    let bob = h.add_account("bob@north.test").await;
    put_alias(&h, "team@north.test", &["alice@north.test", "bob@north.test"]).await;
    put_alias(&h, "sales@north.test", &["bob@north.test"]).await;
    h.admin().set_catch_all(&domain("south.test"), Some(&address("bob@north.test"))).await.unwrap();
    let cases = [
        (alice, "Alice@north.test", SenderResolution::Permitted),
        (alice, "alice+news@north.test", SenderResolution::Permitted),
        (alice, "team@north.test", SenderResolution::Permitted),
        (alice, "team+x@north.test", SenderResolution::Permitted),
        (alice, "bob@north.test", SenderResolution::Denied),
        (alice, "sales@north.test", SenderResolution::Denied),
        (alice, "nobody@north.test", SenderResolution::Denied),
        (alice, "any@south.test", SenderResolution::Denied),
        (alice, "alice@elsewhere.test", SenderResolution::Denied),
        (bob, "any@south.test", SenderResolution::Permitted),
        (bob, "team@north.test", SenderResolution::Permitted),
        (AccountId(i64::MAX), "alice@north.test", SenderResolution::Denied),
    ];
    for (account, text, expected) in cases {
        let answer = h.ingress().resolve_sender(account, &address(text)).await.unwrap();
        assert_eq!(answer, expected, "{account} as {text}");
    }
    let update = AccountUpdate { state: Some(AccountState::Disabled), ..AccountUpdate::default() };
    h.admin().update_account(&address("alice@north.test"), update).await.unwrap();
    let answer = h.ingress().resolve_sender(alice, &address("alice@north.test")).await.unwrap();
    assert_eq!(answer, SenderResolution::Denied);
}
