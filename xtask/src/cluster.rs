//! `cargo xtask cluster`: a real Kubernetes for local work and tests, which stays until it is
//! taken down.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, bail};
use clap::Subcommand;
use sessionstore_cluster::{Cluster, Image, NodeStatus, Options, PartStatus, Status};
use sessionstore_replica_set::mongod;

use crate::{cargo, workspace};

/// Start, stop and look at a real Kubernetes on this machine
///
/// Needs root, Debian 12, Go and the package registries; Kubernetes is compiled into the cache the
/// first time, which takes some 10 minutes on two cores. Everything else is in docs/cluster.md. The
/// cluster stays when the command ends, until `cargo xtask cluster down`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask cluster up --nodes 3
  eval \"$(cargo xtask cluster env)\" && kubectl get nodes
  cargo xtask cluster images && cargo xtask cluster install
  cargo xtask cluster down")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// The folder of the cluster [default: cluster in the cache]
    #[arg(long, global = true, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    /// Start the cluster, or what has died of it; returns when it is ready
    Up {
        /// How many nodes
        #[arg(long, default_value_t = 1, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=3))]
        nodes: usize,
        /// API server and controllers alone, which is all that tests of API calls need
        #[arg(long, conflicts_with = "nodes")]
        control_plane_only: bool,
        /// Write each request to the API server to a file
        #[arg(long)]
        audit: bool,
    },
    /// Take the cluster down; nothing of it stays but what is in the cache
    Down,
    /// Show processes, nodes and images; fails unless all are well
    Status,
    /// Print the environment in which kubectl and helm reach the cluster, for the shell's `eval`
    Env,
    /// Build the images of service, operator and mongod, and load them on all nodes
    Images {
        /// Of binaries that are built for debugging: sooner built, but larger
        #[arg(long)]
        debug: bool,
    },
    /// Install the operator's chart with these images; returns when the operator is ready
    Install,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => Cluster::default_folder()?,
    };
    match &args.action {
        Action::Up {
            nodes,
            control_plane_only,
            audit,
        } => up(&Options {
            nodes: if *control_plane_only { 0 } else { *nodes },
            audit: *audit,
            folder: Some(folder),
        }),
        Action::Down => down(&folder),
        Action::Status => status(&folder),
        Action::Env => {
            print!("{}", environment(&existing(&folder)?));
            Ok(())
        }
        Action::Images { debug } => images(&existing(&folder)?, *debug),
        Action::Install => install(&existing(&folder)?),
    }
}

fn up(options: &Options) -> anyhow::Result<()> {
    let start = Instant::now();
    let cluster = Cluster::up(options, &|step| {
        eprintln!("{:>6.1} s  {step}", start.elapsed().as_secs_f64());
    })?;
    eprintln!(
        "{:>6.1} s  the cluster is ready",
        start.elapsed().as_secs_f64()
    );
    println!("kubeconfig  {}", cluster.kubeconfig().display());
    println!("in a shell  eval \"$(cargo xtask cluster env)\"");
    Ok(())
}

fn down(folder: &Path) -> anyhow::Result<()> {
    if Cluster::down(folder)? {
        eprintln!("the cluster is gone");
    } else {
        eprintln!("there was no cluster");
    }
    Ok(())
}

fn status(folder: &Path) -> anyhow::Result<()> {
    let status = existing(folder)?.status()?;
    print!("{}", report(&status));
    if !status.is_well() {
        bail!("not all is well; `cargo xtask cluster up` starts what does not run");
    }
    Ok(())
}

fn images(cluster: &Cluster, debug: bool) -> anyhow::Result<()> {
    let service = if debug {
        cargo::build_programs()?
    } else {
        cargo::build_release()?
    };
    load(cluster, &service)
}

/// Loads the images of the service, of the operator beside it, and of mongod.
pub(crate) fn load(cluster: &Cluster, service: &Path) -> anyhow::Result<()> {
    let operator = service.with_file_name("sessionstore-operator");
    for image in [
        Image::service(service)?,
        Image::operator(&operator)?,
        Image::mongod(&mongod()?)?,
    ] {
        let start = Instant::now();
        let loaded = cluster.load(&image)?;
        let what = if loaded.new_on.is_empty() {
            "was there".to_owned()
        } else {
            format!("is new on {}", loaded.new_on.join(", "))
        };
        println!(
            "{:<38} {:>6.1} MB  {what} ({:.1} s)",
            loaded.name,
            megabytes(loaded.bytes),
            start.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// Installs the chart.
pub(crate) fn install(cluster: &Cluster) -> anyhow::Result<()> {
    let chart = workspace::root().join("charts/sessionstore-operator");
    if !chart.is_dir() {
        bail!("there is no chart in {}", chart.display());
    }
    eprintln!("installing {}", chart.display());
    let namespace = cluster.install(&chart)?;
    eprintln!("the operator is ready in namespace {namespace}");
    Ok(())
}

fn existing(folder: &Path) -> anyhow::Result<Cluster> {
    Cluster::find(folder)?.with_context(|| {
        format!(
            "there is no cluster in {}; `cargo xtask cluster up` makes one",
            folder.display()
        )
    })
}

/// For a shell of the Bourne family.
fn environment(cluster: &Cluster) -> String {
    exports(&cluster.kubeconfig(), &cluster.tools())
}

fn exports(kubeconfig: &Path, tools: &Path) -> String {
    let quoted = |path: &Path| path.display().to_string().replace('\'', r"'\''");
    format!(
        "export KUBECONFIG='{}'\nexport PATH='{}':\"$PATH\"\n",
        quoted(kubeconfig),
        quoted(tools)
    )
}

/// One line for each node and image, and those of the processes in columns.
fn report(status: &Status) -> String {
    let mut text = String::new();
    if !status.nodes.is_empty() {
        text.push_str("node   state      address     version\n");
        for node in &status.nodes {
            text.push_str(&node_line(node));
        }
        text.push('\n');
        text.push_str(&image_lines(&status.nodes));
        text.push('\n');
    }
    text.push_str("process                      pid\n");
    for part in &status.parts {
        text.push_str(&part_line(part));
    }
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\nkubeconfig  {}\nlogs        {}/*.log\n",
        status.kubeconfig.display(),
        status.logs.display()
    );
    text
}

fn node_line(node: &NodeStatus) -> String {
    let state = if node.ready { "ready" } else { "not ready" };
    format!(
        "{:<6} {state:<10} {:<11} {}\n",
        node.name, node.address, node.version
    )
}

fn part_line(part: &PartStatus) -> String {
    let pid = part
        .pid
        .map_or_else(|| "down".to_owned(), |it| it.to_string());
    format!("{:<25} {pid:>6}\n", part.name)
}

/// Each image once, with the nodes that have it.
fn image_lines(nodes: &[NodeStatus]) -> String {
    let mut names: Vec<&String> = nodes.iter().flat_map(|it| &it.images).collect();
    names.sort();
    names.dedup();
    let mut text = format!("{:<38} on\n", "image");
    for name in names {
        let on = nodes.iter().filter(|it| it.images.contains(name));
        let on: Vec<&str> = on.map(|it| it.name.as_str()).collect();
        let _ = writeln!(text, "{name:<38} {}", on.join(" "));
    }
    text
}

/// What people count images in.
fn megabytes(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let bytes = bytes as f64;
    bytes / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, images: &[&str]) -> NodeStatus {
        NodeStatus {
            name: name.to_owned(),
            address: "10.89.0.11".to_owned(),
            ready: name == "node1",
            version: "v1.34.4".to_owned(),
            images: images.iter().map(|it| (*it).to_owned()).collect(),
        }
    }

    #[test]
    fn an_image_is_one_line_with_the_nodes_that_have_it() {
        let nodes = [node("node1", &["a", "b"]), node("node2", &["b"])];
        let lines = image_lines(&nodes);
        let words: Vec<Vec<&str>> = lines
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            words,
            [
                vec!["image", "on"],
                vec!["a", "node1"],
                vec!["b", "node1", "node2"]
            ]
        );
    }

    #[test]
    fn what_is_down_is_seen() {
        let status = Status {
            kubeconfig: "/c/kubeconfig/admin.yaml".into(),
            logs: "/c/logs".into(),
            parts: vec![PartStatus {
                name: "kubelet@node2".to_owned(),
                pid: None,
                runs: false,
            }],
            nodes: vec![node("node2", &[])],
        };
        let report = report(&status);
        assert!(report.contains("node2  not ready  10.89.0.11"));
        assert!(
            report
                .lines()
                .any(|line| line.starts_with("kubelet@node2") && line.ends_with("down"))
        );
        assert!(report.contains("kubeconfig  /c/kubeconfig/admin.yaml\n"));
    }

    #[test]
    fn a_path_with_a_quote_is_still_one_word_of_the_shell() {
        let exports = exports(Path::new("/it's/a.yaml"), Path::new("/bin"));
        assert_eq!(
            exports,
            "export KUBECONFIG='/it'\\''s/a.yaml'\nexport PATH='/bin':\"$PATH\"\n"
        );
    }
}
