//! The binary `sessionstore-operator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sessionstore_operator::cli::main()
}
