//! The client as the log names it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use net::dns::{Missing, Resolver};

/// A name that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Is(String),
    /// There is none.
    No,
    /// Nobody knows now.
    Unknown,
}

impl Named {
    pub fn name(&self) -> Option<&str> {
        match self {
            Named::Is(name) => Some(name),
            Named::No | Named::Unknown => None,
        }
    }
}

/// `NAME[IP]`: the name it has in the DNS, `unknown` if none that leads back, then its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerName {
    /// That leads back to its address.
    pub name: Option<String>,
    /// The same, with the reason why there is none.
    pub verified: Named,
    /// The name that the owner of the address gave it, whether it leads back or not.
    pub reverse: Named,
    pub address: IpAddr,
}

impl PeerName {
    /// Without asking the DNS: this machine is known by its name.
    pub fn of(remote: SocketAddr) -> PeerName {
        let address = remote.ip().to_canonical();
        let name = address.is_loopback().then(|| "localhost".to_owned());
        let known = name.clone().map_or(Named::Unknown, Named::Is);
        PeerName { name, verified: known.clone(), reverse: known, address }
    }

    /// Asks the DNS for a name that leads back to the address.
    pub async fn looked_up(self, resolver: &Resolver) -> PeerName {
        if self.name.is_some() {
            return self;
        }
        let named = |missing: Missing| if missing == Missing::Unknown { Named::Unknown } else { Named::No };
        let reverse = resolver.name(self.address).await.map_or_else(named, Named::Is);
        let verified = match &reverse {
            // a name of figures would look like an address in a table
            Named::Is(name) if name.parse::<IpAddr>().is_ok() => Named::No,
            Named::Is(name) => match resolver.addresses(name).await {
                Ok(addresses) if addresses.contains(&self.address) => Named::Is(name.clone()),
                Ok(_) => Named::No,
                Err(missing) => named(missing),
            },
            other => other.clone(),
        };
        PeerName { name: verified.name().map(str::to_owned), verified, reverse, ..self }
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.name.as_deref().unwrap_or("unknown"), self.address)
    }
}
