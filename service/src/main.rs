//! The binary `sessionstore`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sessionstore::cli::main()
}
