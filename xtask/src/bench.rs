//! `cargo xtask bench`: builds the service and the load generator for release and runs the latter.

use std::process::Command;

use crate::{cargo, process};

/// Measure the service under load
///
/// Builds the service and the load generator with the release profile and starts the load
/// generator, which starts the service. All options go to it: `cargo xtask bench -- --help`
/// explains them, `cargo xtask bench --quick` is a good begin.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Options of the load generator
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTION"
    )]
    options: Vec<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let server = cargo::build_bench()?;
    // It finds the service beside itself. Files that it is told of are where the caller is.
    let mut command = Command::new(server.with_file_name("sessionstore-bench"));
    process::run(command.args(&args.options))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn options_reach_the_load_generator_with_and_without_dashes_before() {
        for line in [["bench", "--", "--quick"].as_slice(), &["bench", "--quick"]] {
            let alone = Alone::try_parse_from(line).unwrap();
            assert_eq!(alone.args.options, ["--quick"]);
        }
        let compare = Alone::try_parse_from(["bench", "compare", "a.json", "b.json"]).unwrap();
        assert_eq!(compare.args.options, ["compare", "a.json", "b.json"]);
    }
}
