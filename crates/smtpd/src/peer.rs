//! The client as the log names it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// `NAME[IP]`: the name it has in the DNS, `unknown` if none that leads back, then its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerName {
    pub name: Option<String>,
    pub address: IpAddr,
}

impl PeerName {
    /// Without asking the DNS: this machine is known by its name.
    pub fn of(remote: SocketAddr) -> PeerName {
        let address = remote.ip().to_canonical();
        PeerName { name: address.is_loopback().then(|| "localhost".to_owned()), address }
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.name.as_deref().unwrap_or("unknown"), self.address)
    }
}
