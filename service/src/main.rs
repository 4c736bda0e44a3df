//! The binary `sessionstore`.
//!
//! It keeps the system's allocator: mimalloc was measured, at 64 connections, to cost the same CPU
//! and 18 to 40 MiB more of resident memory.

use std::process::ExitCode;

fn main() -> ExitCode {
    sessionstore::cli::main()
}
