//! Routing against a name server in process.
