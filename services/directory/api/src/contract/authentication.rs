use std::time::Duration;

use super::*;
use crate::{AccountState, AccountUpdate, DirectoryError, SessionHandle, ShardName};

const ALICE: &str = "alice@north.test";
const HOME: &str = "192.0.2.7";

async fn with_alice(h: &Harness) -> AccountId {
    h.add_domain("north.test").await;
    h.add_account(ALICE).await
}

pub(super) async fn right_login(h: Harness) {
    let alice = with_alice(&h).await;
    // Case does not matter in logins, only in passwords.
    let session = h.gateway().login(attempt("Alice@North.TEST", ALICE, HOME)).await.unwrap();
    assert_eq!((session.account, session.address.to_string().as_str()), (alice, ALICE));
    assert_eq!(session.shard, ShardName::default());
    let now = chrono::DateTime::from(staffetta_chassis::clock::Clock::now(&h.clock));
    let claims = h.verifier.verify(&session.token, now).unwrap();
    assert_eq!((claims.account, claims.workload.as_str()), (alice, "imap-gateway"));
    assert_eq!(claims.scopes, Scope::Imap.into());
    assert_eq!((claims.epoch, claims.quota), (session.epoch, session.quota));
    assert_eq!(claims.expires_at.timestamp(), session.expires_at.timestamp());
    assert!(now < session.renew_at && session.renew_at < session.expires_at);
}

pub(super) async fn wrong_login(h: Harness) {
    with_alice(&h).await;
    for (login, password) in [
        (ALICE, "wrong"),
        (ALICE, ""),
        (ALICE, "ALICE@NORTH.TEST"),
        ("nobody@north.test", ALICE),
        ("alice@south.test", ALICE),
        ("alice", ALICE),
        ("not an address\r\n", ALICE),
    ] {
        // Every attempt from another place, so that none is locked out.
        let client = format!("192.0.2.{}", 100 + login.len() + password.len());
        let error = h.patiently(h.gateway().login(attempt(login, password, &client))).await.unwrap_err();
        assert_eq!(error, DirectoryError::AuthenticationFailed, "{login:?} {password:?}");
    }
}

pub(super) async fn pair_is_locked_out(h: Harness) {
    with_alice(&h).await;
    for _ in 0..PAIR_FAILURES {
        let error = h.patiently(h.gateway().login(attempt(ALICE, "wrong", HOME))).await.unwrap_err();
        assert_eq!(error, DirectoryError::AuthenticationFailed);
    }
    // Even the right password, in whatever case the login is written.
    let error = h.gateway().login(attempt("ALICE@north.test", ALICE, HOME)).await.unwrap_err();
    let DirectoryError::LockedOut { retry_after } = error else { panic!("{error:?}") };
    assert!(retry_after > Duration::ZERO && retry_after <= LOCK, "{retry_after:?}");
    // Another account from there and the same account from elsewhere are not locked.
    h.add_account("bob@north.test").await;
    h.gateway().login(attempt("bob@north.test", "bob@north.test", HOME)).await.unwrap();
    h.patiently(h.gateway().login(attempt(ALICE, ALICE, "192.0.2.8"))).await.unwrap();
    h.clock.advance(LOCK + Duration::from_secs(1));
    h.patiently(h.gateway().login(attempt(ALICE, ALICE, HOME))).await.unwrap();
    // The right login has cleared the pair's failures.
    for _ in 0..PAIR_FAILURES - 1 {
        h.patiently(h.gateway().login(attempt(ALICE, "wrong", HOME))).await.unwrap_err();
    }
    h.patiently(h.gateway().login(attempt(ALICE, ALICE, HOME))).await.unwrap();
}

pub(super) async fn address_is_locked_out(h: Harness) {
    with_alice(&h).await;
    for guess in 0..ADDRESS_FAILURES {
        let login = format!("guess{guess}@north.test");
        let error = h.patiently(h.gateway().login(attempt(&login, "wrong", HOME))).await.unwrap_err();
        assert_eq!(error, DirectoryError::AuthenticationFailed);
    }
    let error = h.gateway().login(attempt(ALICE, ALICE, HOME)).await.unwrap_err();
    assert!(matches!(error, DirectoryError::LockedOut { .. }), "{error:?}");
    h.gateway().login(attempt(ALICE, ALICE, "192.0.2.8")).await.unwrap();
    h.clock.advance(LOCK + Duration::from_secs(1));
    h.gateway().login(attempt(ALICE, ALICE, HOME)).await.unwrap();
}

pub(super) async fn login_alone_is_never_locked(h: Harness) {
    with_alice(&h).await;
    for attacker in 0..40 {
        let client = format!("198.51.100.{attacker}");
        let error = h.patiently(h.gateway().login(attempt(ALICE, "wrong", &client))).await.unwrap_err();
        assert_eq!(error, DirectoryError::AuthenticationFailed);
    }
    let gateway = h.gateway();
    let begun = staffetta_chassis::clock::Clock::instant(&h.clock);
    h.patiently(gateway.login(attempt(ALICE, ALICE, HOME))).await.unwrap();
    let taken = staffetta_chassis::clock::Clock::instant(&h.clock) - begun;
    assert!(taken < Duration::from_secs(10), "slowed by {taken:?}");
}

pub(super) async fn disabled_account(h: Harness) {
    with_alice(&h).await;
    let session = h.gateway().login(attempt(ALICE, ALICE, HOME)).await.unwrap();
    let update = |state| AccountUpdate { state: Some(state), ..AccountUpdate::default() };
    h.admin().update_account(&address(ALICE), update(AccountState::Disabled)).await.unwrap();
    let error = h.gateway().login(attempt(ALICE, ALICE, HOME)).await.unwrap_err();
    assert!(matches!(error, DirectoryError::NotAllowed { .. }), "{error:?}");
    // Who does not know the password does not learn that the account is disabled.
    let error = h.gateway().login(attempt(ALICE, "wrong", HOME)).await.unwrap_err();
    assert_eq!(error, DirectoryError::AuthenticationFailed);
    assert_eq!(h.gateway().renew(&session.handle).await.unwrap_err(), DirectoryError::SessionEnded);
    h.admin().update_account(&address(ALICE), update(AccountState::Active)).await.unwrap();
    h.gateway().login(attempt(ALICE, ALICE, HOME)).await.unwrap();
    // Sessions from before do not come back to life.
    assert_eq!(h.gateway().renew(&session.handle).await.unwrap_err(), DirectoryError::SessionEnded);
}

pub(super) async fn renewal(h: Harness) {
    let alice = with_alice(&h).await;
    let first = h.gateway().login(attempt(ALICE, ALICE, HOME)).await.unwrap();
    h.clock.advance(Duration::from_secs(8 * 60));
    let second = h.gateway().renew(&first.handle).await.unwrap();
    assert_eq!(second.account, alice);
    assert!(second.expires_at > first.expires_at);
    // Past the first token's life the handle still renews, and the session is the same.
    h.clock.advance(Duration::from_secs(8 * 60));
    let third = h.gateway().renew(&second.handle).await.unwrap();
    let now = chrono::DateTime::from(staffetta_chassis::clock::Clock::now(&h.clock));
    assert!(h.verifier.verify(&first.token, now).is_err());
    let (two, three) =
        (h.verifier.verify(&second.token, now).unwrap(), h.verifier.verify(&third.token, now).unwrap());
    assert_eq!((two.session, two.scopes), (three.session, three.scopes));
    // A handle is of no use to another workload, and a session token is no handle.
    let other = h.directory.for_workload("pop3-gateway");
    assert_eq!(other.renew(&third.handle).await.unwrap_err(), DirectoryError::SessionEnded);
    let forged = SessionHandle(third.token.0.to_string());
    assert_eq!(h.gateway().renew(&forged).await.unwrap_err(), DirectoryError::SessionEnded);
    let made_up = SessionHandle("made-up".to_owned());
    assert_eq!(h.gateway().renew(&made_up).await.unwrap_err(), DirectoryError::SessionEnded);
    // Another workload cannot end it either; its owner can, twice.
    other.logout(&third.handle).await.unwrap();
    h.gateway().renew(&third.handle).await.unwrap();
    h.gateway().logout(&third.handle).await.unwrap();
    h.gateway().logout(&third.handle).await.unwrap();
    h.gateway().logout(&made_up).await.unwrap();
    assert_eq!(h.gateway().renew(&third.handle).await.unwrap_err(), DirectoryError::SessionEnded);
}

pub(super) async fn password_change_ends_sessions(h: Harness) {
    with_alice(&h).await;
    let session = h.gateway().login(attempt(ALICE, ALICE, HOME)).await.unwrap();
    h.admin().set_password(&address(ALICE), "new".into()).await.unwrap();
    assert_eq!(h.gateway().renew(&session.handle).await.unwrap_err(), DirectoryError::SessionEnded);
    // At once, although the old password was verified a moment ago.
    let error = h.gateway().login(attempt(ALICE, ALICE, HOME)).await.unwrap_err();
    assert_eq!(error, DirectoryError::AuthenticationFailed);
    h.gateway().login(attempt(ALICE, "new", HOME)).await.unwrap();
    h.gateway().login(attempt(ALICE, "new", HOME)).await.unwrap();
}
