//! Several items in one message: what is ready goes together, and nobody waits for a batch to fill.

use async_stream::stream;
use futures_util::stream::{BoxStream, Stream};
use futures_util::{FutureExt, StreamExt};

use crate::MailstoreError;

/// Most items of a batch.
const ITEMS: usize = 256;
/// A batch takes no more items once it has so many octets.
const OCTETS: usize = 64 * 1024;

/// Groups what is ready, in order; `weigh` tells an item's octets. An error comes after what was before it, and ends the
/// stream.
pub(super) fn batches<T: Send + 'static>(
    mut items: BoxStream<'static, Result<T, MailstoreError>>,
    weigh: impl Fn(&T) -> usize + Send + 'static,
) -> impl Stream<Item = Result<Vec<T>, MailstoreError>> + Send + 'static {
    stream! {
        while let Some(first) = items.next().await {
            let mut next = Some(first);
            let mut batch = Vec::new();
            let mut octets = 0;
            while let Some(item) = next {
                let item = match item {
                    Ok(item) => item,
                    Err(error) => {
                        if !batch.is_empty() {
                            yield Ok(batch);
                        }
                        yield Err(error);
                        return;
                    }
                };
                octets += weigh(&item);
                batch.push(item);
                let full = batch.len() >= ITEMS || octets >= OCTETS;
                next = if full { None } else { items.next().now_or_never().flatten() };
            }
            yield Ok(batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn sizes(
        items: BoxStream<'static, Result<usize, MailstoreError>>,
    ) -> Vec<Result<usize, MailstoreError>> {
        batches(items, |item| *item).map(|batch| batch.map(|batch| batch.len())).collect().await
    }

    #[tokio::test]
    async fn batches_are_bounded_by_number_and_octets() {
        let many = stream::iter(vec![Ok(1); 600]).boxed();
        assert_eq!(sizes(many).await, [Ok(256), Ok(256), Ok(88)]);
        let large = stream::iter([10, OCTETS - 10, 5, OCTETS, 1].map(Ok)).boxed();
        assert_eq!(sizes(large).await, [Ok(2), Ok(2), Ok(1)]);
        assert_eq!(sizes(stream::empty().boxed()).await, []);
    }

    #[tokio::test]
    async fn what_is_ready_does_not_wait() {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let items = tokio_stream::wrappers::UnboundedReceiverStream::new(receiver).boxed();
        let batches = batches(items, |item: &usize| *item);
        let mut batches = std::pin::pin!(batches);
        for item in [1, 2] {
            sender.send(Ok(item)).unwrap();
        }
        assert_eq!(batches.next().await, Some(Ok(vec![1, 2])));
        sender.send(Ok(3)).unwrap();
        assert_eq!(batches.next().await, Some(Ok(vec![3])));
    }

    #[tokio::test]
    async fn an_error_comes_after_what_was_before_it() {
        let items = stream::iter([Ok(1), Err(MailstoreError::StaleEpoch), Ok(2)]).boxed();
        assert_eq!(sizes(items).await, [Ok(1), Err(MailstoreError::StaleEpoch)]);
    }
}
