//! `cargo xtask mongo`: a MongoDB replica set for local work, which stays until it is stopped.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Subcommand;
use sessionstore_replica_set::{StandingSet, StandingStatus};
use tokio::runtime::{Builder, Runtime};

/// Start, stop and look at a MongoDB replica set for local work
///
/// Three real members on loopback with authentication, as in production but for their size. The
/// first start fetches mongod (42 MB) into the cache. The set stays when the command ends, until
/// `cargo xtask mongo down`; its data stays also then.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask mongo up
  cargo run -- --store-url \"$(cargo xtask mongo url)\"
  cargo xtask mongo down --purge")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    place: Place,
}

/// Where the set is.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// The folder of data, logs and passwords [default: ~/.local/share/sessionstore/mongo]
    #[arg(long, global = true, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// The port of a set that is to be there.
#[derive(clap::Args)]
pub(crate) struct Port {
    /// The port of the first member, the others have the next two [default: 27117]
    ///
    /// It is chosen when the set is made and belongs to its folder from then on.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..=65533))]
    port: Option<u16>,
}

#[derive(Subcommand)]
enum Action {
    /// Start the set, or what does not run of it; returns when it is healthy
    Up(Port),
    /// Stop the set; its data stays
    Down {
        /// Delete data, logs and passwords too
        #[arg(long)]
        purge: bool,
    },
    /// Show the members and the connection strings; fails unless all members are well
    Status,
    /// Print the connection string of the service's user, for --store-url
    Url {
        /// That of the user who may do everything instead
        #[arg(long)]
        admin: bool,
    },
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.action {
        Action::Up(port) => {
            let set = up(&args.place, port)?;
            println!("{}", connection_strings(&set));
            Ok(())
        }
        Action::Down { purge } => down(&args.place, *purge),
        Action::Status => status(&args.place),
        Action::Url { admin } => {
            let set = existing(&args.place)?;
            println!("{}", if *admin { set.admin_url() } else { set.url() });
            Ok(())
        }
    }
}

/// Brings the set up, in the open.
pub(crate) fn up(place: &Place, port: &Port) -> anyhow::Result<StandingSet> {
    let set = StandingSet::open(&place.folder()?, port.port)?;
    let up = set.up(|step| eprintln!("{step}"));
    runtime()?.block_on(up)?;
    Ok(set)
}

fn down(place: &Place, purge: bool) -> anyhow::Result<()> {
    let Some(set) = StandingSet::find(&place.folder()?)? else {
        eprintln!("there is no set");
        return Ok(());
    };
    let folder = set.folder().to_owned();
    if purge {
        runtime()?.block_on(set.purge())?;
        eprintln!("stopped, and {} deleted", folder.display());
    } else {
        runtime()?.block_on(set.down())?;
        eprintln!("stopped; the data stays in {}", folder.display());
    }
    Ok(())
}

fn status(place: &Place) -> anyhow::Result<()> {
    let set = existing(place)?;
    let members = runtime()?.block_on(set.status())?;
    println!("{}", table(&members));
    println!("{}", connection_strings(&set));
    if !is_well(&members) {
        bail!("not all members are well; `cargo xtask mongo up` starts what does not run");
    }
    Ok(())
}

fn existing(place: &Place) -> anyhow::Result<StandingSet> {
    let folder = place.folder()?;
    StandingSet::find(&folder)?.with_context(|| {
        format!(
            "there is no set in {}; `cargo xtask mongo up` makes one",
            folder.display()
        )
    })
}

impl Place {
    fn folder(&self) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &self.folder {
            return Ok(folder.clone());
        }
        let variable = |name| env::var_os(name).filter(|it| !it.is_empty());
        variable("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".local/share")))
            .map(|data| data.join("sessionstore/mongo"))
            .context("no folder for the set: set --folder or HOME")
    }
}

/// A chore waits for one thing after the other.
fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

fn connection_strings(set: &StandingSet) -> String {
    format!(
        "service  {}\nadmin    {}\nlogs     {}/*/mongod.log",
        set.url(),
        set.admin_url(),
        set.folder().display()
    )
}

fn is_well(members: &[StandingStatus]) -> bool {
    let count = |state| members.iter().filter(|it| it.state == state).count();
    count("PRIMARY") == 1 && count("SECONDARY") + 1 == members.len()
}

fn table(members: &[StandingStatus]) -> String {
    let mut table = String::from("member           state          pid      lag  version\n");
    for member in members {
        let unknown = || "-".to_owned();
        let pid = member.pid.map_or_else(unknown, |pid| pid.to_string());
        let lag = member.lag;
        let lag = lag.map_or_else(unknown, |lag| format!("{} s", lag.as_secs()));
        let version = member.version.clone().unwrap_or_else(unknown);
        let line = format!(
            "{:<16} {:<11} {pid:>6} {lag:>8}  {version}\n",
            member.host, member.state
        );
        table.push_str(&line);
    }
    table
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn member(state: &str) -> StandingStatus {
        StandingStatus {
            host: "127.0.0.1:27117".to_owned(),
            pid: Some(4711),
            state: state.to_owned(),
            lag: Some(Duration::from_secs(2)),
            version: Some("6.0.5".to_owned()),
        }
    }

    #[test]
    fn a_member_is_one_line_of_the_table() {
        let table = table(&[member("SECONDARY")]);
        let words: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            words,
            [
                vec!["member", "state", "pid", "lag", "version"],
                vec!["127.0.0.1:27117", "SECONDARY", "4711", "2", "s", "6.0.5"],
            ]
        );
    }

    #[test]
    fn a_set_with_a_member_down_is_not_well() {
        let [primary, secondary, down] = ["PRIMARY", "SECONDARY", "down"].map(member);
        assert!(is_well(&[
            primary.clone(),
            secondary.clone(),
            secondary.clone()
        ]));
        assert!(!is_well(&[primary, secondary, down]));
    }
}
