//! The wire contracts between the services, generated from `staffetta/<service>/v1/*.proto`.
//!
//! Invariant: these types stop in the `grpc` modules of the api crates; nothing else names them.
//! Every `bytes` field is a [`bytes::Bytes`], so the chunk of a body is never copied on its way in.

include!(concat!(env!("OUT_DIR"), "/modules.rs"));

/// The encoded `FileDescriptorSet` of every package, for `grpc.reflection`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
