//! The adapters together: the whole contract through a round trip, and what only the wire can get wrong.

use crate::contract::{Fixture, through_grpc};

async fn fixture() -> Fixture {
    through_grpc(crate::memory::tests::fixture().await).await
}

crate::contract_tests!(fixture);
