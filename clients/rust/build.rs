//! Generates messages and calls from the contract, which lies beside this crate. `protox` reads it, so that no `protoc`
//! has to be installed.
use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let proto = Path::new("../../proto");
    let include = [proto.to_path_buf(), proto.join("third_party")];
    let mut files = Vec::<PathBuf>::new();
    for entry in std::fs::read_dir(proto.join("qscope/v1"))? {
        files.push(entry?.path());
    }
    files.sort();
    println!("cargo::rerun-if-changed={}", proto.display());
    let descriptors = protox::compile(&files, &include)?;
    tonic_prost_build::configure()
        .build_server(false)
        .include_file("contract.rs")
        .compile_fds(descriptors)?;
    Ok(())
}
