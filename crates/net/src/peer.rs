//! Who is at the other end.

use rustls::{CommonState, ConnectionCommon, ProtocolVersion, SupportedCipherSuite};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The two ends of a connection. For a Unix socket both addresses are 127.0.0.1 port 0, and `user` is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The peer's address; an IPv4 address even if it came through an IPv6 socket.
    pub remote: SocketAddr,
    /// Ours, likewise.
    pub local: SocketAddr,
    /// The service's name as in `services` ("smtp", "imaps").
    pub service: &'static str,
    /// Who connected through a Unix socket, by the kernel's word.
    pub user: Option<User>,
    /// Which connection of this process it is, counted from 1: what its lines in the log have in common.
    pub number: u64,
}

/// How many connections there were.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// When the first connection came, in seconds since 1970.
static BEGUN: LazyLock<u64> = LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs());

impl Peer {
    /// The peer of a connection that begins.
    pub fn new(remote: SocketAddr, local: SocketAddr, service: &'static str) -> Peer {
        Peer { remote, local, service, user: None, number: CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1 }
    }

    /// What tells its session from all others of this machine, for the log.
    pub fn session(&self) -> String {
        format!("{:x}.{:x}.{:x}", *BEGUN, std::process::id(), self.number)
    }

    /// A peer without a network address: a pipe, a Unix socket.
    pub fn local(service: &'static str, user: Option<User>) -> Peer {
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Peer { user, ..Peer::new(here, here, service) }
    }
}

/// A local process, as the kernel told when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Process id, where the system tells it.
    pub pid: Option<i32>,
}

/// What a handshake agreed on, in OpenSSL's words, which logs and `Received:` fields use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// "TLSv1.3" or "TLSv1.2".
    pub protocol: String,
    /// "TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES128-GCM-SHA256".
    pub cipher: String,
    /// Bits of the cipher's key.
    pub bits: u16,
    /// "X25519MLKEM768", "X25519"; `None` in a resumed session.
    pub key_exchange: Option<String>,
    /// The name the client asked for (for our calls: the one we asked for).
    pub sni: Option<String>,
    /// What a login can be bound to.
    pub binding: Option<Binding>,
}

impl TlsInfo {
    /// "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
    pub fn in_log(&self) -> String {
        format!("{} with cipher {} ({bits}/{bits} bits)", self.protocol, self.cipher, bits = self.bits)
    }
}

/// `tls-exporter` (RFC 9266 §2): tells this connection from all others. Only of TLS 1.3: of 1.2 it would need the extended master
/// secret, and rustls does not tell whether a connection has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Binding(pub [u8; 32]);

impl Binding {
    pub(crate) fn of<Side>(connection: &ConnectionCommon<Side>) -> Option<Binding> {
        if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
            return None;
        }
        connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok().map(Binding)
    }
}

/// It stays between the two ends.
impl std::fmt::Debug for Binding {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Binding(…)")
    }
}

impl TlsInfo {
    pub(crate) fn of(state: &CommonState, sni: Option<&str>) -> TlsInfo {
        let (cipher, bits) = state.negotiated_cipher_suite().map_or_else(Default::default, cipher);
        TlsInfo {
            protocol: match state.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3".into(),
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2".into(),
                other => format!("{other:?}"),
            },
            cipher,
            bits,
            key_exchange: state.negotiated_key_exchange_group().map(|group| match group.name() {
                rustls::NamedGroup::secp256r1 => "P-256".into(),
                rustls::NamedGroup::secp384r1 => "P-384".into(),
                other => format!("{other:?}"),
            }),
            sni: sni.map(str::to_owned),
            binding: None,
        }
    }
}

/// "TLS13_AES_256_GCM_SHA384" is TLS_AES_256_GCM_SHA384 to OpenSSL; "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" is ECDHE-RSA-AES128-GCM-SHA256.
fn cipher(suite: SupportedCipherSuite) -> (String, u16) {
    let name = format!("{:?}", suite.suite());
    let bits = if name.contains("AES_128") { 128 } else { 256 };
    let name = match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => {
            let short = name.trim_start_matches("TLS_").replace("_WITH_", "-").replace("AES_", "AES");
            let short = if short.contains("CHACHA20") { short.trim_end_matches("_SHA256").to_owned() } else { short };
            short.replace('_', "-")
        }
    };
    (name, bits)
}

#[cfg(test)]
mod tests {
    #[test]
    fn ciphers_have_their_openssl_names() {
        let names: Vec<String> =
            rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES.iter().map(|&suite| super::cipher(suite).0).collect();
        for name in ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"] {
            assert!(names.iter().any(|have| have == name), "{name} in {names:?}");
        }
    }
}
