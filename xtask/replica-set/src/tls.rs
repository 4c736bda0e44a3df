//! The certificates of a set that talks over TLS, made anew for each.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mongodb::options::TlsOptions;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use crate::{SetError, Tls, secret};

/// The files of an authority of its own: what members and clients prove themselves with.
#[derive(Debug, Clone)]
pub struct Certificates {
    folder: PathBuf,
    tls: Tls,
}

impl Certificates {
    /// Makes all files in `folder`, which is made too.
    pub(crate) fn make(folder: PathBuf, tls: Tls) -> Result<Self, SetError> {
        fs::create_dir_all(&folder).map_err(SetError::file(&folder))?;
        let made = Self { folder, tls };
        let authority = authority()?;
        write(&made.authority(), &authority.pem())?;
        // A member is a client of the others too.
        let member = [
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        write(&made.member(), &signed(&authority, "127.0.0.1", &member)?)?;
        let client = [ExtendedKeyUsagePurpose::ClientAuth];
        write(&made.client(), &signed(&authority, "client", &client)?)?;
        Ok(made)
    }

    /// The certificate of the authority that has signed all others: what `tlsCAFile` takes.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// A client's certificate and key: what `tlsCertificateKeyFile` takes.
    pub fn client(&self) -> PathBuf {
        self.folder.join("client.pem")
    }

    /// A member's certificate and key, for 127.0.0.1.
    fn member(&self) -> PathBuf {
        self.folder.join("member.pem")
    }

    /// What mongod is started with.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "--tlsMode=requireTLS".to_owned(),
            format!("--tlsCertificateKeyFile={}", self.member().display()),
            format!("--tlsCAFile={}", self.authority().display()),
        ];
        if self.tls == Tls::Members {
            arguments.push("--tlsAllowConnectionsWithoutCertificates".to_owned());
        }
        arguments
    }

    /// What a driver needs to be let in.
    pub(crate) fn driver_options(&self) -> TlsOptions {
        let mut options = TlsOptions::builder().build();
        options.ca_file_path = Some(self.authority());
        options.cert_key_file_path = Some(self.client());
        options
    }

    /// The same as part of a connection string; the client's certificate only where members ask
    /// for one.
    pub(crate) fn url_options(&self) -> String {
        let members = format!("&tls=true&tlsCAFile={}", escaped(&self.authority()));
        match self.tls {
            Tls::Members => members,
            Tls::Mutual => {
                let client = escaped(&self.client());
                format!("{members}&tlsCertificateKeyFile={client}")
            }
        }
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, SetError> {
    let mut params = CertificateParams::new([])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // Two authorities of the same name would be taken for each other until it comes to signatures.
    let name = secret::random(8);
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A certificate for a host and its key, one after the other, as mongod and the driver want them.
fn signed(
    authority: &CertifiedIssuer<'_, KeyPair>,
    host: &str,
    usages: &[ExtendedKeyUsagePurpose],
) -> Result<String, SetError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([host.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, host);
    params.extended_key_usages = usages.to_vec();
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, authority)?;
    Ok(certificate.pem() + &key.serialize_pem())
}

fn write(path: &Path, text: &str) -> Result<(), SetError> {
    fs::write(path, text).map_err(SetError::file(path))
}

fn escaped(path: &Path) -> String {
    let path = path.to_string_lossy();
    utf8_percent_encode(&path, NON_ALPHANUMERIC).to_string()
}
