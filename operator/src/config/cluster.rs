//! What is found out about the place where this process runs, where it is not set.

use rand::distr::{Alphanumeric, SampleString};

/// The domain of most clusters.
pub const DEFAULT_DOMAIN: &str = "cluster.local";

/// The cluster's domain by the text of a pod's `/etc/resolv.conf`, whose search line names
/// `NAMESPACE.svc.DOMAIN`, `svc.DOMAIN` and `DOMAIN`.
pub fn cluster_domain(resolv_conf: &str) -> Option<String> {
    // Of several search lines the last one counts (resolv.conf(5)).
    let search = resolv_conf
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("search"))
        .rfind(|rest| rest.starts_with([' ', '\t']))?;
    let domain = search
        .split_whitespace()
        .find_map(|domain| domain.strip_prefix("svc."))?;
    let domain = domain.trim_end_matches('.');
    (!domain.is_empty()).then(|| domain.to_owned())
}

/// A name for this process that no other one has, though a container that is started again in the
/// same pod has the same host name.
pub fn identity() -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    let suffix = Alphanumeric.sample_string(&mut rand::rng(), 8);
    format!("{host}_{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_search_line_names_the_domain() {
        let pod = "search voice.svc.k8s.example.org svc.k8s.example.org k8s.example.org lan\n\
                   nameserver 10.96.0.10\noptions ndots:5\n";
        assert_eq!(cluster_domain(pod).unwrap(), "k8s.example.org");
    }

    #[test]
    fn the_last_search_line_counts() {
        let two = "search svc.one\nsearch svc.two.\n";
        assert_eq!(cluster_domain(two).unwrap(), "two");
    }

    #[test]
    fn a_machine_outside_of_a_cluster_names_none() {
        for text in [
            "",
            "search lan\n",
            "# search svc.x\n",
            "searching svc.x",
            "search svc.",
        ] {
            assert_eq!(cluster_domain(text), None, "{text}");
        }
    }

    #[test]
    fn no_two_processes_have_the_same_identity() {
        assert_ne!(identity(), identity());
    }
}
