//! Messages and calls of QScope for Rust programs, generated from the contract by `build.rs`.
//!
//! Each package of the contract is a module: [`qscope::v1`] has QScope's own, `google::rpc` what statuses carry.

include!(concat!(env!("OUT_DIR"), "/contract.rs"));

pub use qscope::v1;
