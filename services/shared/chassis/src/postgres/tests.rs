use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Barrier;

use super::*;
use crate::process::Context;
use crate::testing::TestDatabase;

async fn pool(setup: &'static str) -> (Pool, Context) {
    let context = Context::for_tests();
    let database = TestDatabase::create().await;
    let pool = Pool::connect(&database.config(), "public", &context).await.unwrap();
    sqlx::raw_sql(setup).execute(pool.inner()).await.unwrap();
    (pool, context)
}

#[tokio::test]
async fn a_serialization_failure_is_repeated_until_both_succeed() {
    let (pool, context) =
        pool("CREATE TABLE account (id int, amount int); INSERT INTO account VALUES (1, 0)").await;
    let (runs, meet) = (AtomicU32::new(0), Barrier::new(2));
    // Both read the same snapshot before either writes, the first time.
    let add = || {
        let (runs, meet) = (&runs, &meet);
        pool.transaction_at("add", Isolation::Serializable, move |tx| {
            Box::pin(async move {
                let amount: i32 =
                    sqlx::query_scalar("SELECT amount FROM account").fetch_one(&mut **tx).await?;
                if runs.fetch_add(1, Ordering::SeqCst) < 2 {
                    meet.wait().await;
                }
                sqlx::query("UPDATE account SET amount = $1").bind(amount + 1).execute(&mut **tx).await?;
                Ok::<_, sqlx::Error>(())
            })
        })
    };
    let (first, second) = tokio::join!(add(), add());
    first.unwrap();
    second.unwrap();
    let amount: i32 = sqlx::query_scalar("SELECT amount FROM account").fetch_one(pool.inner()).await.unwrap();
    assert_eq!((amount, runs.load(Ordering::SeqCst)), (2, 3));
    let metrics = context.metrics_text();
    assert!(metrics.contains("outcome=\"serialization\",transaction=\"add\"} 1"), "{metrics}");
    assert!(metrics.contains("outcome=\"committed\",transaction=\"add\"} 2"), "{metrics}");
}

#[tokio::test]
async fn a_domain_error_rolls_back_and_is_not_repeated() {
    let (pool, _) = pool("CREATE TABLE thing (id int PRIMARY KEY)").await;
    let (mut runs, id) = (0, 7);
    let refused = pool
        .transaction("insert", |tx| {
            runs += 1;
            let id = &id;
            Box::pin(async move {
                sqlx::query("INSERT INTO thing VALUES ($1)").bind(id).execute(&mut **tx).await?;
                Err::<(), _>(TxError::Domain("no"))
            })
        })
        .await;
    assert!(matches!(refused, Err(TxError::Domain("no"))));
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM thing").fetch_one(pool.inner()).await.unwrap();
    assert_eq!((count, runs), (0, 1));
    let insert = || sqlx::query("INSERT INTO thing VALUES (1)").execute(pool.inner());
    insert().await.unwrap();
    assert_eq!(violated_constraint(&insert().await.unwrap_err()), Some("thing_pkey"));
}

#[tokio::test]
async fn services_share_a_database_in_schemas_of_their_own() {
    let database = TestDatabase::create().await;
    let context = Context::for_tests();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("0001_first.sql"), "CREATE TABLE thing (id int)").unwrap();
    let migrator = sqlx::migrate::Migrator::new(folder.path()).await.unwrap();
    let first = Pool::connect(&database.config(), "first", &context).await.unwrap();
    let config = PostgresConfig { schema: Some("second".to_owned()), ..database.config() };
    let second = Pool::connect(&config, "first", &context).await.unwrap();
    let (one, two, again) =
        tokio::join!(first.migrate(&migrator), second.migrate(&migrator), first.migrate(&migrator));
    one.unwrap();
    two.unwrap();
    again.unwrap();
    sqlx::query("INSERT INTO thing VALUES (1)").execute(first.inner()).await.unwrap();
    let there: i64 =
        sqlx::query_scalar("SELECT count(*) FROM thing").fetch_one(second.inner()).await.unwrap();
    assert_eq!(there, 0);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_once() {
    let context = Context::for_tests();
    let connect = async |config: PostgresConfig, schema: &str| {
        Pool::connect(&config, schema, &context).await.unwrap_err()
    };
    assert!(matches!(connect(PostgresConfig::at("nonsense"), "a").await, PostgresError::Url));
    let url = TestDatabase::create().await.url().to_owned();
    assert!(matches!(connect(PostgresConfig::at(&url), "a;b").await, PostgresError::Schema(_)));
    let missing = PostgresConfig::at(url.replace("/test_", "/missing_"));
    assert!(matches!(connect(missing, "a").await, PostgresError::Unreachable(_)));
}

#[test]
fn debug_hides_the_password() {
    let config = PostgresConfig::at("postgres://user:hush@db.test/mail");
    let shown = format!("{config:?}");
    assert!(shown.contains("db.test") && !shown.contains("hush"), "{shown}");
}
