//! Directory as one of its callers sees it.

use std::sync::Arc;

use crate::Directory;

/// Hands out [`Directory`] views, one for each calling workload.
///
/// Sessions are bound to the workload that logged in, so an implementation must know who calls. The port's methods carry
/// no such argument, because over gRPC a caller cannot choose who it is: the server adapter takes the view of the identity
/// the caller has proven (mTLS name or workload key) and calls that.
pub trait Workloads: Send + Sync + 'static {
    /// The view of the workload called `workload` (e.g. `imap-gateway`). Cheap: asked for once per call.
    fn for_workload(&self, workload: &str) -> Arc<dyn Directory>;
}
