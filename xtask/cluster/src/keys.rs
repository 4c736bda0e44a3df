//! Who everybody in the cluster is: keys and certificates, made once for each cluster.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use crate::{
    ClusterError,
    folder::{Folder, write},
    network,
};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// Somebody with a certificate: what Kubernetes takes for a name and a group.
struct Identity<'a> {
    /// The names of its files.
    file: &'a str,
    name: &'a str,
    group: Option<&'a str>,
    /// Under which names and addresses it is a server; none for one that is only a client.
    hosts: &'a [&'a str],
}

impl<'a> Identity<'a> {
    fn client(file: &'a str, name: &'a str, group: Option<&'a str>) -> Self {
        Self {
            file,
            name,
            group,
            hosts: &[],
        }
    }
}

/// May do everything.
const MASTERS: Option<&str> = Some("system:masters");

/// Those who get a kubeconfig, with the name that the API server knows them by. `admin` is for
/// people; volumes and firewall have a name of their own so that an audit log tells them apart.
const CLIENTS: [(&str, &str, Option<&str>); 6] = [
    ("admin", "admin", MASTERS),
    (
        "kube-controller-manager",
        "system:kube-controller-manager",
        None,
    ),
    ("kube-scheduler", "system:kube-scheduler", None),
    ("kube-proxy", "system:kube-proxy", None),
    ("volumes", "sessionstore:volumes", MASTERS),
    ("firewall", "sessionstore:firewall", MASTERS),
];

/// Makes all keys, certificates and kubeconfigs of a cluster whose API server is at `address` and
/// `port`, unless they are there.
pub(crate) fn ensure(
    folder: &Folder,
    address: &str,
    port: u16,
    nodes: usize,
) -> Result<(), ClusterError> {
    let done = folder.keys().join("done");
    if done.exists() {
        return Ok(());
    }
    fs::create_dir_all(folder.keys()).map_err(ClusterError::file(folder.keys()))?;
    let authority = authority("kubernetes")?;
    write(&folder.keys().join("ca.crt"), &authority.pem())?;
    write(
        &folder.keys().join("ca.key"),
        &authority.key().serialize_pem(),
    )?;
    let front_proxy = self::authority("front-proxy")?;
    write(
        &folder.keys().join("front-proxy-ca.crt"),
        &front_proxy.pem(),
    )?;
    let service_accounts = KeyPair::generate()?;
    for (ending, pem) in [
        ("key", service_accounts.serialize_pem()),
        ("pub", service_accounts.public_key_pem()),
    ] {
        write(
            &folder.keys().join(format!("service-accounts.{ending}")),
            &pem,
        )?;
    }

    let api_server = Identity {
        file: "kube-apiserver",
        name: "kube-apiserver",
        group: None,
        hosts: &[
            address,
            network::API_SERVICE,
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ],
    };
    issue(folder, &authority, &api_server)?;
    let to_kubelets = Identity::client("kubelet-client", "kube-apiserver", MASTERS);
    issue(folder, &authority, &to_kubelets)?;
    let aggregator = Identity::client("front-proxy-client", "front-proxy-client", None);
    issue(folder, &front_proxy, &aggregator)?;

    let server = format!("https://{address}:{port}");
    for (file, name, group) in CLIENTS {
        let certified = issue(folder, &authority, &Identity::client(file, name, group))?;
        write_kubeconfig(folder, file, &server, &authority, &certified)?;
    }
    for number in 1..=nodes {
        let node = network::node_name(number);
        let certified = issue(
            folder,
            &authority,
            &Identity {
                file: &node,
                name: &format!("system:node:{node}"),
                group: Some("system:nodes"),
                hosts: &[&network::node_address(number), &node],
            },
        )?;
        write_kubeconfig(folder, &node, &server, &authority, &certified)?;
    }
    write(&done, "")
}

fn authority(name: &str) -> Result<Authority, ClusterError> {
    let mut params = CertificateParams::new([])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A certificate and its key, in PEM.
struct Certified {
    certificate: String,
    key: String,
}

/// Writes certificate and key of somebody into the folder of the keys.
fn issue(
    folder: &Folder,
    authority: &Authority,
    identity: &Identity<'_>,
) -> Result<Certified, ClusterError> {
    let key = KeyPair::generate()?;
    let hosts: Vec<String> = identity.hosts.iter().map(|it| (*it).to_owned()).collect();
    let mut params = CertificateParams::new(hosts)?;
    params
        .distinguished_name
        .push(DnType::CommonName, identity.name);
    if let Some(group) = identity.group {
        params
            .distinguished_name
            .push(DnType::OrganizationName, group);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if !identity.hosts.is_empty() {
        params
            .extended_key_usages
            .push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    params.use_authority_key_identifier_extension = true;
    let certified = Certified {
        certificate: params.signed_by(&key, authority)?.pem(),
        key: key.serialize_pem(),
    };
    let path = |ending| folder.keys().join(format!("{}.{ending}", identity.file));
    write(&path("crt"), &certified.certificate)?;
    write(&path("key"), &certified.key)?;
    Ok(certified)
}

fn write_kubeconfig(
    folder: &Folder,
    who: &str,
    server: &str,
    authority: &Authority,
    certified: &Certified,
) -> Result<(), ClusterError> {
    let text = kubeconfig(server, &authority.pem(), certified);
    write(&folder.kubeconfig(who), &text)
}

/// A kubeconfig that needs no other file.
fn kubeconfig(server: &str, authority: &str, certified: &Certified) -> String {
    let encode = |text: &str| STANDARD.encode(text);
    format!(
        "apiVersion: v1
kind: Config
clusters:
  - name: sessionstore
    cluster:
      server: {server}
      certificate-authority-data: {}
users:
  - name: sessionstore
    user:
      client-certificate-data: {}
      client-key-data: {}
contexts:
  - name: sessionstore
    context:
      cluster: sessionstore
      user: sessionstore
current-context: sessionstore
",
        encode(authority),
        encode(&certified.certificate),
        encode(&certified.key),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_made_once_and_for_nobody_elses_eyes() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path().to_owned());
        ensure(&folder, network::MACHINE, 6443, 2).unwrap();
        let key = folder.keys().join("node2.key");
        let made = fs::read(&key).unwrap();
        ensure(&folder, network::MACHINE, 6443, 2).unwrap();
        assert_eq!(fs::read(&key).unwrap(), made);
        for file in [key, folder.kubeconfig("admin")] {
            let permissions = fs::metadata(file).unwrap().permissions();
            assert_eq!(permissions.mode() & 0o077, 0);
        }
    }

    #[test]
    fn a_kubeconfig_holds_all_that_a_client_needs() {
        let certified = Certified {
            certificate: "C".to_owned(),
            key: "K".to_owned(),
        };
        let text = kubeconfig("https://10.89.0.1:6443", "A", &certified);
        for line in [
            "server: https://10.89.0.1:6443",
            "certificate-authority-data: QQ==",
            "client-certificate-data: Qw==",
            "client-key-data: Sw==",
        ] {
            assert!(text.contains(line), "{line} is missing");
        }
    }
}
