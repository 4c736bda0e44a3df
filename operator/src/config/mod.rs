//! Settings of the operator: one list for flags and environment variables.
//!
//! The list is [`Settings`]. `values` says how each kind of value is written, `cluster` what is
//! found out when a setting is not given. Nothing is asked of a cluster here.

mod cluster;
mod values;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

pub use cluster::{DEFAULT_DOMAIN, cluster_domain, identity};
pub use values::{LogFilter, ValueError};

use values::{domain, duration};

/// Everything that can be set.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// What it makes, and where.
    #[command(flatten)]
    pub work: WorkSettings,
    /// Which of several operators works.
    #[command(flatten)]
    pub lease: LeaseSettings,
    /// What it tells about itself.
    #[command(flatten)]
    pub logging: LogSettings,
}

/// What the operator makes, and where.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Work")]
pub struct WorkSettings {
    /// The image of the API, for every SessionStore that names none
    #[arg(
        long,
        env = "SESSIONSTORE_OPERATOR_API_IMAGE",
        value_name = "IMAGE",
        value_parser = NonEmptyStringValueParser::new(),
    )]
    pub api_image: String,
    /// The image of mongod, for every SessionStore that names none
    #[arg(
        long,
        env = "SESSIONSTORE_OPERATOR_MONGODB_IMAGE",
        value_name = "IMAGE",
        default_value = "mongo:8.0",
        value_parser = NonEmptyStringValueParser::new(),
    )]
    pub mongodb_image: String,
    /// This operator's own image: in every pod of mongod it puts the key file in its place
    #[arg(
        long,
        env = "SESSIONSTORE_OPERATOR_OPERATOR_IMAGE",
        value_name = "IMAGE",
        value_parser = NonEmptyStringValueParser::new(),
    )]
    pub operator_image: String,
    /// Look after SessionStores in this namespace alone; may be repeated, or a list with commas
    #[arg(
        long = "namespace",
        env = "SESSIONSTORE_OPERATOR_NAMESPACE",
        value_name = "NAMESPACE",
        value_delimiter = ',',
        conflicts_with = "all_namespaces",
        value_parser = NonEmptyStringValueParser::new(),
    )]
    pub namespaces: Vec<String>,
    /// Look after SessionStores in all namespaces (what is done without --namespace)
    #[arg(long, env = "SESSIONSTORE_OPERATOR_ALL_NAMESPACES")]
    pub all_namespaces: bool,
    /// The domain of the cluster, which the full names of members end with [default: that of the
    /// search line in /etc/resolv.conf, else cluster.local]
    #[arg(
        long,
        env = "SESSIONSTORE_OPERATOR_CLUSTER_DOMAIN",
        value_name = "DOMAIN",
        value_parser = domain,
    )]
    pub cluster_domain: Option<String>,
    /// How many SessionStores are worked on at the same time
    #[arg(
        long,
        env = "SESSIONSTORE_OPERATOR_CONCURRENCY",
        value_name = "COUNT",
        default_value = "4"
    )]
    pub concurrency: NonZeroUsize,
    /// Where /livez, /readyz, /metrics and /version are served
    #[arg(
        long,
        env = "SESSIONSTORE_OPERATOR_ADMIN_ADDRESS",
        value_name = "ADDRESS:PORT",
        default_value = "0.0.0.0:8080"
    )]
    pub admin_address: SocketAddr,
}

/// Which of several operators works: the one that holds the Lease.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Leader election")]
pub struct LeaseSettings {
    /// The namespace of the Lease [default: that of this pod, else that of the kubeconfig]
    #[arg(
        long,
        env = "SESSIONSTORE_OPERATOR_LEASE_NAMESPACE",
        value_name = "NAMESPACE",
        value_parser = NonEmptyStringValueParser::new(),
    )]
    pub lease_namespace: Option<String>,
    /// The name of the Lease: operators that share it take turns, others know nothing of each other
    #[arg(
        long,
        env = "SESSIONSTORE_OPERATOR_LEASE_NAME",
        value_name = "NAME",
        default_value = "sessionstore-operator",
        value_parser = NonEmptyStringValueParser::new(),
    )]
    pub lease_name: String,
    /// How long the others wait after the last sign of life of the one that works; it renews the
    /// Lease every third of this, and stops its work when two thirds have gone without an answer
    #[arg(
        long,
        env = "SESSIONSTORE_OPERATOR_LEASE_DURATION",
        value_name = "DURATION",
        default_value = "15s",
        value_parser = duration(Duration::from_secs(3), Duration::from_secs(300)),
    )]
    pub lease_duration: Duration,
    /// The name of this process, which no other one has [default: the host's name, in a pod that of
    /// the pod, and a few random letters]
    #[arg(
        long,
        env = "SESSIONSTORE_OPERATOR_IDENTITY",
        value_name = "NAME",
        value_parser = NonEmptyStringValueParser::new(),
    )]
    pub identity: Option<String>,
}

/// What the operator logs, to standard error.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logging")]
pub struct LogSettings {
    /// A level, or directives such as `info,sessionstore_operator::mongo=debug`
    #[arg(
        long,
        env = "SESSIONSTORE_OPERATOR_LOG",
        value_name = "FILTER",
        default_value = "info",
        value_parser = LogFilter::parse,
    )]
    pub log: LogFilter,
    /// The form of a line [default: text on a terminal, else json]
    #[arg(
        long,
        env = "SESSIONSTORE_OPERATOR_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum
    )]
    pub log_format: Option<LogFormat>,
}

/// The form of a line of the log.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

/// Which SessionStores are looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all namespaces.
    Cluster,
    /// Those of these namespaces, each named once.
    Namespaces(Vec<String>),
}

impl WorkSettings {
    /// Which SessionStores are looked after.
    pub fn scope(&self) -> Scope {
        let mut namespaces = self.namespaces.clone();
        namespaces.sort();
        namespaces.dedup();
        if namespaces.is_empty() {
            Scope::Cluster
        } else {
            Scope::Namespaces(namespaces)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn settings(arguments: &[&str]) -> Result<Settings, String> {
        let command = Settings::augment_args(Command::new("test"));
        let needed = ["test", "--api-image=api", "--operator-image=operator"];
        let arguments = needed.iter().chain(arguments);
        let matches = command.try_get_matches_from(arguments);
        let matches = matches.map_err(|error| error.to_string())?;
        Ok(Settings::from_arg_matches(&matches).unwrap())
    }

    #[test]
    fn every_setting_has_an_environment_variable_of_its_name() {
        let command = Settings::augment_args(Command::new("test"));
        for arg in command.get_arguments() {
            let name = arg.get_long().unwrap().to_uppercase().replace('-', "_");
            let variable = arg.get_env().unwrap().to_str().unwrap();
            assert_eq!(variable, format!("SESSIONSTORE_OPERATOR_{name}"));
        }
    }

    #[test]
    fn without_a_namespace_it_looks_after_all_of_them() {
        assert_eq!(settings(&[]).unwrap().work.scope(), Scope::Cluster);
        let all = settings(&["--all-namespaces"]).unwrap();
        assert_eq!(all.work.scope(), Scope::Cluster);
    }

    #[test]
    fn namespaces_may_be_repeated_or_listed_and_count_once() {
        let some = settings(&["--namespace=b", "--namespace=a,b"]).unwrap();
        let named = ["a", "b"].map(str::to_owned).to_vec();
        assert_eq!(some.work.scope(), Scope::Namespaces(named));
    }

    #[test]
    fn one_namespace_and_all_of_them_is_a_contradiction() {
        let error = settings(&["--namespace=a", "--all-namespaces"]).unwrap_err();
        assert!(error.contains("cannot be used with"), "{error}");
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        for wrong in [
            "--concurrency=0",
            "--lease-duration=1s",
            "--lease-duration=15",
            "--cluster-domain=.local",
            "--admin-address=localhost",
            "--log=loud",
            "--api-image=",
        ] {
            assert!(settings(&[wrong]).is_err(), "{wrong}");
        }
    }
}
