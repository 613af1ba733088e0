//! A private CA and a certificate by it, for `setup --self-signed`: clients are given the CA once, and certificates can be
//! made anew under it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::failure::{Code, Failure};

/// Where they lie below the configuration directory.
pub struct Files {
    /// What clients are told to trust.
    pub ca: PathBuf,
    /// The server's certificate.
    pub cert: PathBuf,
    /// Its key, 0600.
    pub key: PathBuf,
}

impl Files {
    /// Below `directory/certs`.
    pub fn below(directory: &Path) -> Files {
        let certs = directory.join("certs");
        Files { ca: certs.join("ca.pem"), cert: certs.join("server.pem"), key: certs.join("server.key") }
    }
}

/// Makes CA and certificate for `hostname`, also valid for localhost and the loopback addresses. What is there stays.
pub fn make(directory: &Path, hostname: &str) -> Result<Files, Failure> {
    let files = Files::below(directory);
    if files.cert.exists() && files.key.exists() {
        return Ok(files);
    }
    let failed = |error: rcgen::Error| Failure::new(Code::Unavailable, "certificate", error);
    let (ca, server, key) = signed(hostname).map_err(failed)?;
    let certs = directory.join("certs");
    fs::create_dir_all(&certs).map_err(|error| Failure::new(Code::Unavailable, certs.display(), error))?;
    write(&files.ca, &ca, 0o644)?;
    write(&files.key, &key, 0o600)?;
    write(&files.cert, &server, 0o644)?;
    Ok(files)
}

/// PEM of the CA, of the server's certificate and of its key. The CA's key is thrown away: nobody can sign by it.
fn signed(hostname: &str) -> Result<(String, String, String), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name = named(&format!("Posthouse CA for {hostname}"));
    let ca_key = KeyPair::generate()?;
    let ca = params.self_signed(&ca_key)?;
    let issuer = Issuer::from_params(&params, &ca_key);
    let mut names = vec![hostname.to_owned(), "localhost".into(), "127.0.0.1".into(), "::1".into()];
    names.dedup();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = named(hostname);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let server = params.signed_by(&key, &issuer)?;
    Ok((ca.pem(), server.pem(), key.serialize_pem()))
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Writes a new file; never readable by more than `mode`, not even for a moment.
pub fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(Code::Unavailable, path.display(), error);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}
