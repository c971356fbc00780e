//! Compiles the protos without protoc.

use std::error::Error;
use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=headroom");
    println!("cargo:rerun-if-changed=grpcplugin");
    let protos = [
        "grpcplugin/expander.proto",
        "headroom/v1/advisor.proto",
        "headroom/v1/extender.proto",
        "headroom/v1/feed.proto",
    ];
    let descriptors = protox::compile(protos, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    // No transport: servers and clients bring their own connections.
    tonic_prost_build::configure()
        .build_transport(false)
        // Parts of the message as it came: 100 MiB are not copied.
        .bytes(".grpcplugin.BestOptionsRequest.options")
        .compile_fds(descriptors)?;
    Ok(())
}
