//! Certificates and the two ends of TLS. The only file that reads PEM (rustls-pemfile is unmaintained; see deny.toml).
//!
//! A server's certificates are held in one place and swapped as a whole: [`TlsServer::reload`] reads every file first and
//! changes nothing if one is bad. Each service has a rustls configuration of its own, with its own memory of resumable
//! sessions and its own ALPN name, so that a session of one service is not taken up again at another (ALPACA).

use arc_swap::ArcSwap;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::{Connect, TlsAcceptor, TlsConnector};

/// Resumable sessions remembered per service, about 1 KB each. 4096: the clients of a busy hour.
const SESSIONS: usize = 4096;
/// The largest PEM file read, in octets. A chain with key is some 10 KB; this is not the place for a disk image.
const PEM_SIZE: u64 = 1 << 20;
/// Server names at most (directories under `certs`).
const NAMES: usize = 100_000;

/// Where certificates lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The default chain, leaf first (`tls_cert_file`).
    pub cert: PathBuf,
    /// Its key (`tls_key_file`).
    pub key: PathBuf,
    /// A directory of directories `NAME/{fullchain,privkey}.pem`, each served to who asks for NAME (SNI); NAME may be
    /// `*.domain`. One without both files is no certificate and is passed over. `None`, or missing: only the default.
    pub names: Option<PathBuf>,
}

/// Why certificates were not taken; says which file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It can't be read.
    #[error("{path}: cannot be read: {cause}; check tls_cert_file and tls_key_file, and that the service's user may read it", path = .path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    /// No certificate in it.
    #[error("{path}: holds no certificate; a PEM file with BEGIN CERTIFICATE, the server's own first, is needed", path = .path.display())]
    NoCertificate { path: PathBuf },
    /// No key in it.
    #[error("{path}: holds no private key; a PEM file with BEGIN PRIVATE KEY and no passphrase is needed", path = .path.display())]
    NoKey { path: PathBuf },
    /// It is not PEM.
    #[error("{path}: is not valid PEM: {cause}; copy the file again", path = .path.display())]
    BadPem { path: PathBuf, cause: io::Error },
    /// A key of a kind TLS does not use, or a chain that does not parse.
    #[error("{path}: cannot be used: {cause}; an RSA (2048 bits or more), ECDSA or Ed25519 key is needed", path = .path.display())]
    Unusable { path: PathBuf, cause: rustls::Error },
    /// Chain and key are not a pair.
    #[error("{cert}: does not belong to the key in {key}; name the pair that was issued together", cert = .cert.display(), key = .key.display())]
    NoPair { cert: PathBuf, key: PathBuf },
    /// Too many names.
    #[error("{path}: holds more than {NAMES} names; remove directories of domains that are gone", path = .path.display())]
    TooManyNames { path: PathBuf },
    /// Not a name a certificate can have.
    #[error("{0}: is not a host name")]
    BadName(String),
}

/// A server's certificates; clones are the same. See [`TlsServer::for_service`].
#[derive(Clone)]
pub struct TlsServer {
    held: Arc<Held>,
    acceptor: TlsAcceptor,
}

#[derive(Debug)]
struct Held {
    files: TlsFiles,
    now: ArcSwap<Certificates>,
}

#[derive(Debug)]
struct Certificates {
    default: Arc<CertifiedKey>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
}

impl TlsServer {
    /// Reads the certificates.
    ///
    /// # Errors
    /// Any file of `files` that is not as it should be.
    pub fn new(files: TlsFiles) -> Result<TlsServer, TlsError> {
        let now = ArcSwap::from_pointee(Certificates::read(&files)?);
        let held = Arc::new(Held { files, now });
        Ok(TlsServer { acceptor: acceptor(held.clone(), None), held })
    }

    /// The same certificates (also after a reload) for one service: sessions are resumed only there, and a client that
    /// names another protocol by ALPN ("imap", "pop3", "managesieve", "smtp") is refused.
    pub fn for_service(&self, alpn: Option<&str>) -> TlsServer {
        TlsServer { held: self.held.clone(), acceptor: acceptor(self.held.clone(), alpn) }
    }

    /// Reads all files again and serves them from the next handshake on, in every clone; open sessions go on.
    ///
    /// # Errors
    /// The first bad file; then everything stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.held.now.store(Arc::new(Certificates::read(&self.held.files)?));
        Ok(())
    }

    /// The certificate (leaf, DER) that a client asking for `name` gets: to show and to check its days.
    pub fn certificate(&self, name: Option<&str>) -> Option<CertificateDer<'static>> {
        self.held.now.load().choose(name).cert.first().cloned()
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

/// The calling end: whom to call, and what to believe.
#[derive(Clone)]
pub struct TlsClient {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl TlsClient {
    /// Accepts whatever certificate it is shown: encryption without knowing to whom (RFC 7435; RFC 3207 §4.1 between MTAs).
    ///
    /// # Errors
    /// `name` is neither a host name nor an address.
    pub fn opportunistic(name: &str) -> Result<TlsClient, TlsError> {
        let provider = provider();
        let trust = Arc::new(Whoever(provider.clone()));
        TlsClient::with(client_config(provider).dangerous().with_custom_certificate_verifier(trust).with_no_client_auth(), name)
    }

    /// Believes only a certificate for `name` signed by one of the authorities in the PEM file `roots`.
    ///
    /// # Errors
    /// A bad name, or a bad file.
    pub fn verified(name: &str, roots: &Path) -> Result<TlsClient, TlsError> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(chain(roots)?);
        TlsClient::with(client_config(provider()).with_root_certificates(store).with_no_client_auth(), name)
    }

    /// Believes what `config` believes (DANE, MTA-STS).
    ///
    /// # Errors
    /// `name` is neither a host name nor an address.
    pub fn with(config: impl Into<Arc<ClientConfig>>, name: &str) -> Result<TlsClient, TlsError> {
        let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::BadName(name.to_owned()))?;
        Ok(TlsClient { connector: TlsConnector::from(config.into()), name })
    }

    /// The name asked for.
    pub fn name(&self) -> String {
        self.name.to_str().into_owned()
    }

    pub(crate) fn connect<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(&self, stream: S) -> Connect<S> {
        self.connector.connect(self.name.clone(), stream)
    }
}

/// Which end of TLS a session is.
#[derive(Clone)]
pub(crate) enum End {
    Server(TlsServer),
    Client(TlsClient),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn acceptor(held: Arc<Held>, alpn: Option<&str>) -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("the provider knows TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(held);
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    config.alpn_protocols = alpn.map(|name| name.as_bytes().to_vec()).into_iter().collect();
    TlsAcceptor::from(Arc::new(config))
}

fn client_config(provider: Arc<CryptoProvider>) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("the provider knows TLS 1.2 and 1.3")
}

impl ResolvesServerCert for Held {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now.load().choose(hello.server_name()).clone())
    }
}

impl Certificates {
    fn read(files: &TlsFiles) -> Result<Certificates, TlsError> {
        let default = pair(&files.cert, &files.key)?;
        let by_name = files.names.as_deref().map(names).transpose()?.unwrap_or_default();
        Ok(Certificates { default, by_name })
    }

    /// The name itself, else `*.` its parent, else the default.
    fn choose(&self, name: Option<&str>) -> &Arc<CertifiedKey> {
        let Some(name) = name.filter(|_| !self.by_name.is_empty()) else {
            return &self.default;
        };
        let name = name.to_ascii_lowercase();
        let wild = || name.split_once('.').and_then(|(_, parent)| self.by_name.get(&format!("*.{parent}")));
        self.by_name.get(&name).or_else(wild).unwrap_or(&self.default)
    }
}

fn names(directory: &Path) -> Result<HashMap<String, Arc<CertifiedKey>>, TlsError> {
    let unreadable = |cause| TlsError::Unreadable { path: directory.to_owned(), cause };
    let entries = match fs::read_dir(directory) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut names = HashMap::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let (cert, key) = (entry.path().join("fullchain.pem"), entry.path().join("privkey.pem"));
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !cert.exists() && !key.exists() {
            continue;
        }
        if names.len() == NAMES {
            return Err(TlsError::TooManyNames { path: directory.to_owned() });
        }
        names.insert(name.to_ascii_lowercase(), pair(&cert, &key)?);
    }
    Ok(names)
}

fn pair(cert: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let (chain, secret) = (chain(cert)?, secret(key)?);
    match CertifiedKey::from_der(chain, secret, &aws_lc_rs::default_provider()) {
        Ok(pair) => Ok(Arc::new(pair)),
        Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::NoPair { cert: cert.to_owned(), key: key.to_owned() }),
        Err(cause @ rustls::Error::InvalidCertificate(_)) => Err(TlsError::Unusable { path: cert.to_owned(), cause }),
        Err(cause) => Err(TlsError::Unusable { path: key.to_owned(), cause }),
    }
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let chain = rustls_pemfile::certs(&mut text.as_slice()).collect::<Result<Vec<_>, _>>();
    match chain.map_err(|cause| TlsError::BadPem { path: path.to_owned(), cause })? {
        chain if chain.is_empty() => Err(TlsError::NoCertificate { path: path.to_owned() }),
        chain => Ok(chain),
    }
}

fn secret(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    let key = rustls_pemfile::private_key(&mut text.as_slice()).map_err(|cause| TlsError::BadPem { path: path.to_owned(), cause })?;
    key.ok_or_else(|| TlsError::NoKey { path: path.to_owned() })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let read = || {
        if fs::metadata(path)?.len() > PEM_SIZE {
            return Err(io::Error::other("larger than 1 MiB"));
        }
        fs::read(path)
    };
    read().map_err(|cause| TlsError::Unreadable { path: path.to_owned(), cause })
}

/// Believes any certificate, but not a handshake whose signature is wrong.
#[derive(Debug)]
struct Whoever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
