//! What the log says of sessions that log in, in the words of Dovecot 2.3, which log readers know.

use crate::Service;
use std::net::IpAddr;

/// A session that logged in; says so when made, and how it ended when [`end`](SessionLog::end)ed.
#[derive(Debug)]
pub struct SessionLog {
    service: Service,
    user: String,
    session: String,
}

/// Where a session comes from.
#[derive(Debug)]
pub struct Origin {
    /// The client's address.
    pub remote: IpAddr,
    /// Ours.
    pub local: IpAddr,
    /// Protocol and cipher, where there is TLS.
    pub tls: Option<String>,
    /// What tells the session from all others.
    pub session: String,
}

impl SessionLog {
    /// `imap-login: Login: user=<u>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, mpid=77, TLS, session=<s>, TLSv1.3 with cipher C`
    pub fn begin(service: Service, user: &str, method: &str, from: Origin) -> SessionLog {
        let Origin { remote, local, tls, session } = from;
        let (secured, cipher) = match tls {
            Some(tls) => (", TLS", format!(", {tls}")),
            None if remote.is_loopback() => (", secured", String::new()),
            None => ("", String::new()),
        };
        let (name, pid) = (service.name(), std::process::id());
        tracing::info!(target: "dovecot", "{name}-login: Login: user=<{user}>, method={method}, rip={remote}, lip={local}, mpid={pid}{secured}, session=<{session}>{cipher}");
        SessionLog { service, user: user.to_owned(), session }
    }

    /// `imap(u)<77><s>: Disconnected: Logged out in=69 out=544`: octets of the protocol, before TLS and compression.
    pub fn end(self, why: &str, read: u64, written: u64) {
        let SessionLog { service, user, session } = self;
        let (name, pid) = (service.name(), std::process::id());
        tracing::info!(target: "dovecot", "{name}({user})<{pid}><{session}>: Disconnected: {why} in={read} out={written}");
    }
}
