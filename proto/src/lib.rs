//! Headroom's gRPC interfaces, and one of Cluster Autoscaler's, as Rust types. Generated, without logic: what the messages mean is said in the `.proto` files.

/// Package `headroom.v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated; the comments are those of the proto files")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/headroom.v1.rs"));
}

/// Package `grpcplugin`: Cluster Autoscaler's.
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated; the comments are those of the proto file")]
pub mod grpcplugin {
    include!(concat!(env!("OUT_DIR"), "/grpcplugin.rs"));
}

/// The encoded `google.protobuf.FileDescriptorSet` of all packages, which server reflection serves.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
