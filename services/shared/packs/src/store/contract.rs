//! What every [`ObjectStore`] does, as a suite any implementation can be held against.
//! Panics with the broken promise; for tests.

use bytes::Bytes;
use futures_util::TryStreamExt;
use staffetta_chassis::spool::Spooled;

use super::ObjectStore;
use crate::error::StoreErrorKind;

/// Runs every check on a fresh store from `make`.
pub async fn suite<S: ObjectStore, F: Future<Output = S>>(mut make: impl FnMut() -> F) {
    what_was_put_can_be_read(&make().await).await;
    ranges_are_clipped(&make().await).await;
    put_only_creates(&make().await).await;
    streams_go_both_ways(&make().await).await;
    missing_objects_are_not_found(&make().await).await;
    deleting_twice_is_fine(&make().await).await;
    listing_knows_sizes_and_folders(&make().await).await;
}

async fn what_was_put_can_be_read(store: &dyn ObjectStore) {
    let pieces = [Bytes::from_static(b"hello "), Bytes::new(), Bytes::from_static(b"world")];
    store.put("mail/20240101/00/a-b.pack", &pieces).await.expect("put");
    let read = store.get_range("mail/20240101/00/a-b.pack", 0..11).await.expect("get");
    assert_eq!(read, "hello world", "pieces are joined in order");
    assert_eq!(store.head("mail/20240101/00/a-b.pack").await.expect("head").size, 11);
}

async fn ranges_are_clipped(store: &dyn ObjectStore) {
    store.put("k/r", &[Bytes::from_static(b"0123456789")]).await.expect("put");
    for (range, wanted) in [(3..6, "345"), (8..20, "89"), (10..12, ""), (15..20, ""), (4..4, "")] {
        let read = store.get_range("k/r", range.clone()).await.expect("get_range");
        assert_eq!(read, wanted, "range {range:?}");
    }
}

async fn put_only_creates(store: &dyn ObjectStore) {
    store.put("k/once", &[Bytes::from_static(b"first")]).await.expect("put");
    let second = store.put("k/once", &[Bytes::from_static(b"second")]).await.expect_err("key is taken");
    assert_eq!(second.kind(), StoreErrorKind::AlreadyExists);
    assert_eq!(store.get_range("k/once", 0..9).await.expect("get"), "first", "the first stays");
}

async fn streams_go_both_ways(store: &dyn ObjectStore) {
    // More than two multipart parts, and no multiple of any block.
    let body: Bytes = (0..18_000_001_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>().into();
    store.put_stream("k/large", &Spooled::from(body.clone())).await.expect("put_stream");
    assert_eq!(store.head("k/large").await.expect("head").size, body.len() as u64);
    for range in [0..body.len(), 1_000_000..9_000_000] {
        let wanted = range.start as u64..range.end as u64;
        let stream = store.get_stream("k/large", wanted.clone()).await.expect("get_stream");
        let read: Vec<Bytes> = stream.try_collect().await.expect("all pieces");
        assert!(read.concat() == body[range], "range {wanted:?} differs");
    }
    let stream = store.get_stream("k/large", 18_000_001..18_000_009).await.expect("get_stream");
    let read: Vec<Bytes> = stream.try_collect().await.expect("all pieces");
    assert!(read.concat().is_empty(), "nothing behind the end");
}

async fn missing_objects_are_not_found(store: &dyn ObjectStore) {
    let kinds = [
        store.get_range("k/none", 0..1).await.expect_err("get_range").kind(),
        store.head("k/none").await.expect_err("head").kind(),
        match store.get_stream("k/none", 0..1).await {
            Ok(_) => panic!("get_stream finds a missing object"),
            Err(error) => error.kind(),
        },
    ];
    assert_eq!(kinds, [StoreErrorKind::NotFound; 3]);
}

async fn deleting_twice_is_fine(store: &dyn ObjectStore) {
    store.put("k/gone", &[Bytes::from_static(b"x")]).await.expect("put");
    store.delete("k/gone").await.expect("delete");
    store.delete("k/gone").await.expect("delete again");
    let error = store.get_range("k/gone", 0..1).await.expect_err("deleted");
    assert_eq!(error.kind(), StoreErrorKind::NotFound);
    store.put("k/gone", &[Bytes::from_static(b"y")]).await.expect("the key is free again");
}

async fn listing_knows_sizes_and_folders(store: &dyn ObjectStore) {
    for (key, len) in [("mail/1/a", 1), ("mail/2/b", 2), ("mailbox/c", 3), ("other/d", 4)] {
        store.put(key, &[Bytes::from(vec![0; len])]).await.expect("put");
    }
    let listed: Vec<_> = store.list("mail").try_collect().await.expect("list");
    let mut found: Vec<_> = listed.iter().map(|object| (object.key.as_str(), object.size)).collect();
    found.sort_unstable();
    assert_eq!(found, [("mail/1/a", 1), ("mail/2/b", 2)], "a prefix is whole segments");
    let none: Vec<_> = store.list("nothing").try_collect().await.expect("list of nothing");
    assert!(none.is_empty());
}
