use staffetta_directory_api::{
    AccountState, AccountUpdate, DirectoryError, RecipientResolution, Session, SessionHandle,
};

use super::*;

const ALICE: &str = "alice@north.test";

async fn login(pod: &Pod, password: &str) -> Result<Session, DirectoryError> {
    pod.as_workload("imap-gateway").login(attempt(ALICE, password)).await
}

async fn renew(pod: &Pod, handle: &SessionHandle) -> Result<Session, DirectoryError> {
    pod.as_workload("imap-gateway").renew(handle).await
}

#[tokio::test]
async fn second_login_is_answered_by_the_cache_and_a_new_password_never_is() {
    let site = Site::new().await;
    let (one, two) = (site.pod().await, site.pod().await);
    one.add_account(ALICE, "old").await;
    login(&one, "old").await.unwrap();
    login(&one, "old").await.unwrap();
    let metrics = one.context.metrics_text();
    for source in ["cache", "hash"] {
        let line = format!("directory_verifications_total{{source=\"{source}\"}} 1");
        assert!(metrics.contains(&line), "{metrics}");
    }
    // Changed through another pod: this one's cache knows nothing of it, but compares the version.
    two.as_workload("ctl").set_password(&ALICE.parse().unwrap(), "new".into()).await.unwrap();
    assert_eq!(login(&one, "old").await.unwrap_err(), DirectoryError::AuthenticationFailed);
    login(&one, "new").await.unwrap();
}

#[tokio::test]
async fn session_renews_at_any_pod_and_ends_at_all_of_them() {
    let site = Site::new().await;
    let (one, two) = (site.pod().await, site.pod().await);
    one.add_account(ALICE, "pw").await;
    let session = login(&one, "pw").await.unwrap();
    renew(&two, &session.handle).await.unwrap();
    one.as_workload("imap-gateway").logout(&session.handle).await.unwrap();
    assert_eq!(renew(&two, &session.handle).await.unwrap_err(), DirectoryError::SessionEnded);

    let session = login(&two, "pw").await.unwrap();
    let update = AccountUpdate { state: Some(AccountState::Disabled), ..AccountUpdate::default() };
    one.as_workload("ctl").update_account(&ALICE.parse().unwrap(), update).await.unwrap();
    assert_eq!(renew(&two, &session.handle).await.unwrap_err(), DirectoryError::SessionEnded);
}

#[tokio::test]
async fn session_ends_with_its_own_life_and_its_last_token_before_that() {
    let site = Site::new().await;
    let pod = site.pod().await;
    pod.add_account(ALICE, "pw").await;
    let session = login(&pod, "pw").await.unwrap();
    let life = site.config().tokens.session_life;
    site.clock.advance(life - Duration::from_secs(60));
    let last = renew(&pod, &session.handle).await.unwrap();
    assert_eq!((last.expires_at - session.expires_at).num_seconds(), (life.as_secs() - 15 * 60) as i64);
    site.clock.advance(Duration::from_secs(60));
    assert_eq!(renew(&pod, &session.handle).await.unwrap_err(), DirectoryError::SessionEnded);
    assert_eq!(renew(&pod, &last.handle).await.unwrap_err(), DirectoryError::SessionEnded);
}

#[tokio::test]
async fn rotation_of_the_signing_key_ends_no_session() {
    let site = Site::new().await;
    let old = site.pod().await;
    old.add_account(ALICE, "pw").await;
    let session = login(&old, "pw").await.unwrap();
    SigningKey::generate("two").unwrap().write(site.keys.path()).unwrap();
    let mut config = site.config();
    config.tokens.signing_key = Some("two".to_owned());
    let renewed = renew(&site.pod_with(&config).await, &session.handle).await.unwrap();
    // The old key goes once the last token it signed has expired; handles renewed meanwhile are signed by the new one.
    for file in ["one.key", "one.pub"] {
        std::fs::remove_file(site.keys.path().join(file)).unwrap();
    }
    let after = site.pod_with(&config).await;
    renew(&after, &renewed.handle).await.unwrap();
    assert_eq!(renew(&after, &session.handle).await.unwrap_err(), DirectoryError::SessionEnded);
    let verifier = TokenVerifier::from_directory(site.keys.path()).unwrap();
    let now = staffetta_chassis::clock::Clock::now(&site.clock).into();
    verifier.verify(&renewed.token, now).unwrap();
    assert!(verifier.verify(&session.token, now).is_err());
}

#[tokio::test]
async fn stored_hash_follows_the_settings_at_the_next_login() {
    let site = Site::new().await;
    let old = site.pod().await;
    old.add_account(ALICE, "pw").await;
    let session = login(&old, "pw").await.unwrap();
    let mut config = site.config();
    config.hashing.passes = 2;
    let new = site.pod_with(&config).await;
    assert_eq!(new.count("SELECT count(*) FROM credential WHERE secret LIKE '%t=2%'").await, 0);
    login(&new, "pw").await.unwrap();
    assert_eq!(new.count("SELECT count(*) FROM credential WHERE secret LIKE '%t=2%'").await, 1);
    // It is the same password: nobody is thrown out, no cache is cold.
    renew(&new, &session.handle).await.unwrap();
    login(&old, "pw").await.unwrap();
}

#[tokio::test]
async fn login_and_renewal_write_nothing() {
    let site = Site::new().await;
    let mut config = site.config();
    config.postgres.url = staffetta_chassis::config::Secret::new(format!(
        "{}&options=-c%20default_transaction_read_only%3Don",
        site.database.url()
    ));
    site.pod().await.add_account(ALICE, "pw").await;
    let context = Context::for_tests();
    let pool = Pool::connect(&config.postgres, "directory", &context).await.unwrap();
    let refused = sqlx::query("DELETE FROM ended_session").execute(pool.inner()).await;
    assert!(refused.is_err(), "this pool cannot write");
    let directory = build(&config, &pool, &context, &Tasks::new()).unwrap();
    let gateway = directory.for_workload("imap-gateway");
    for _ in 0..2 {
        let session = gateway.login(attempt(ALICE, "pw")).await.unwrap();
        gateway.renew(&session.handle).await.unwrap();
    }
}

#[tokio::test]
async fn unknown_login_costs_a_hash_like_a_wrong_password() {
    let site = Site::new().await;
    let pod = site.pod().await;
    pod.add_account(ALICE, "pw").await;
    let gateway = pod.as_workload("pop3-gateway");
    for (hashes, login) in [(1, ALICE), (2, "nobody@north.test"), (3, "no address")] {
        let error = gateway.login(attempt(login, "wrong")).await.unwrap_err();
        assert_eq!(error, DirectoryError::AuthenticationFailed);
        let metrics = pod.context.metrics_text();
        let line = format!("directory_verifications_total{{source=\"hash\"}} {hashes}");
        assert!(metrics.contains(&line), "{login}: {metrics}");
    }
}

#[tokio::test]
async fn credential_allows_only_its_scopes() {
    let site = Site::new().await;
    let pod = site.pod().await;
    pod.add_account(ALICE, "pw").await;
    sqlx::query("UPDATE credential SET scopes = 1").execute(pod.pool.inner()).await.unwrap();
    login(&pod, "pw").await.unwrap();
    let submit = LoginRequest { scopes: Scope::Submit.into(), ..attempt(ALICE, "pw") };
    let error = pod.as_workload("smtp-ingress").login(submit).await.unwrap_err();
    assert!(matches!(error, DirectoryError::NotAllowed { .. }), "{error:?}");
}

#[tokio::test]
async fn logins_are_unavailable_while_the_database_is_away() {
    let site = Site::new().await;
    let pod = site.pod().await;
    pod.add_account(ALICE, "pw").await;
    pod.pool.close().await;
    let error = login(&pod, "pw").await.unwrap_err();
    assert!(matches!(error, DirectoryError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn postmaster_of_every_domain_leads_to_the_configured_account_unless_taken() {
    let site = Site::new().await;
    let mut config = site.config();
    config.resolution.postmaster = Some("Root@north.test".parse().unwrap());
    let pod = site.pod_with(&config).await;
    pod.add_account("root@north.test", "pw").await;
    pod.add_account("postmaster@south.test", "pw").await;
    let ask = ["Postmaster@north.test", "postmaster@south.test", "other@north.test", "postmaster@west.test"];
    let ask: Vec<_> = ask.iter().map(|text| text.parse().unwrap()).collect();
    let answers = pod.as_workload("smtp-ingress").resolve_recipients(&ask).await.unwrap();
    let first = |answer: &RecipientResolution| match answer {
        RecipientResolution::Local(accounts) => accounts[0].address.to_string(),
        other => format!("{other:?}"),
    };
    let answers: Vec<String> = answers.iter().map(first).collect();
    assert_eq!(answers, ["root@north.test", "postmaster@south.test", "UnknownUser", "Remote"]);
}
