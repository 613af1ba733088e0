//! Questions to the DNS (RFC 1034, 1035). Three answers are told apart everywhere: there is, there is not, and nobody knows now.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData};

/// Records of one answer that are looked at: two hundred MX are somebody's joke.
pub const RECORDS: usize = 100;
/// For one query; with [`ATTEMPTS`] Postfix's usual ten seconds.
const QUERY: Duration = Duration::from_secs(5);
const ATTEMPTS: usize = 2;

/// Why a name gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// There is no such name.
    NoDomain,
    /// The name has no record of that kind.
    NoData,
    /// It could not be found out.
    Unknown,
}

/// Whom to ask, and for what.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Empty: those of `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    pub ipv4: bool,
    pub ipv6: bool,
}

/// The DNS itself. Cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    inner: TokioResolver,
    ipv4: bool,
    ipv6: bool,
}

/// There is no way to ask.
#[derive(Debug, thiserror::Error)]
#[error("the resolver cannot be set up: {0}; look at /etc/resolv.conf, or set dns_servers")]
pub struct NoResolver(String);

impl Resolver {
    /// Within a runtime.
    pub fn new(settings: &Settings) -> Result<Resolver, NoResolver> {
        let fault = |error: NetError| NoResolver(error.to_string());
        let mut builder = match settings.servers.is_empty() {
            true => TokioResolver::builder_tokio().map_err(fault)?,
            false => {
                let servers = settings.servers.iter().map(|address| reached(*address)).collect();
                TokioResolver::builder_with_config(ResolverConfig::from_parts(None, Vec::new(), servers), TokioRuntimeProvider::default())
            }
        };
        let options: &mut ResolverOpts = builder.options_mut();
        options.timeout = QUERY;
        options.attempts = ATTEMPTS;
        Ok(Resolver { inner: builder.build().map_err(fault)?, ipv4: settings.ipv4, ipv6: settings.ipv6 })
    }

    /// Preferences and names, without trailing dots; a null MX (RFC 7505) is an empty name.
    pub async fn mx(&self, domain: &str) -> Result<Vec<(u16, String)>, Missing> {
        let lookup = self.inner.mx_lookup(absolute(domain)?).await.map_err(|error| missing(domain, &error))?;
        let record = |data: &RData| match data {
            RData::MX(mx) => Some((mx.preference, plain(&mx.exchange))),
            _ => None,
        };
        some(records(&lookup).filter_map(record).take(RECORDS).collect())
    }

    /// All addresses of the kinds that are used.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Missing> {
        let name = absolute(host)?;
        let v6 = async { if self.ipv6 { self.inner.ipv6_lookup(name.clone()).await.map_err(|error| missing(host, &error)) } else { Err(Missing::NoData) } };
        let v4 = async { if self.ipv4 { self.inner.ipv4_lookup(name.clone()).await.map_err(|error| missing(host, &error)) } else { Err(Missing::NoData) } };
        let (v6, v4) = tokio::join!(v6, v4);
        let address = |data: &RData| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0).to_canonical()),
            _ => None,
        };
        let found: Vec<IpAddr> = [&v6, &v4].into_iter().flatten().flat_map(records).filter_map(address).take(RECORDS).collect();
        match (v6.err(), v4.err()) {
            _ if !found.is_empty() => Ok(found),
            (Some(Missing::Unknown), _) | (_, Some(Missing::Unknown)) => Err(Missing::Unknown),
            (Some(Missing::NoDomain), _) | (_, Some(Missing::NoDomain)) => Err(Missing::NoDomain),
            _ => Err(Missing::NoData),
        }
    }

    /// The IPv4 addresses of a name, whatever kinds are used: the answers of DNS lists.
    pub async fn answers(&self, name: &str) -> Result<Vec<Ipv4Addr>, Missing> {
        let lookup = self.inner.ipv4_lookup(absolute(name)?).await.map_err(|error| missing(name, &error))?;
        let address = |data: &RData| match data {
            RData::A(a) => Some(a.0),
            _ => None,
        };
        some(records(&lookup).filter_map(address).take(RECORDS).collect())
    }

    /// The texts of a name.
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, Missing> {
        let lookup = self.inner.txt_lookup(absolute(name)?).await.map_err(|error| missing(name, &error))?;
        let text = |data: &RData| match data {
            RData::TXT(text) => Some(text.txt_data.iter().map(|part| String::from_utf8_lossy(part)).collect::<String>()),
            _ => None,
        };
        some(records(&lookup).filter_map(text).take(RECORDS).collect())
    }

    /// The first name of an address (PTR), without its trailing dot.
    pub async fn name(&self, address: IpAddr) -> Result<String, Missing> {
        let lookup = self.inner.reverse_lookup(address).await.map_err(|error| missing(&address.to_string(), &error))?;
        let name = |data: &RData| match data {
            RData::PTR(name) => Some(plain(&name.0)),
            _ => None,
        };
        records(&lookup).find_map(name).ok_or(Missing::NoData)
    }
}

/// `address`, `address:port`, `[v6]:port`, as `dns_servers` has it.
pub fn server(text: &str) -> Option<SocketAddr> {
    const DNS: u16 = 53;
    text.parse().ok().or_else(|| text.trim_matches(['[', ']']).parse().ok().map(|address: IpAddr| SocketAddr::new(address, DNS)))
}

fn reached(address: SocketAddr) -> NameServerConfig {
    let with_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    NameServerConfig::new(address.ip(), true, vec![with_port(ConnectionConfig::udp()), with_port(ConnectionConfig::tcp())])
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

fn records(lookup: &Lookup) -> impl Iterator<Item = &RData> {
    lookup.answers().iter().map(|record| &record.data)
}

fn some<T>(found: Vec<T>) -> Result<Vec<T>, Missing> {
    if found.is_empty() { Err(Missing::NoData) } else { Ok(found) }
}

/// Not to be completed by any search list.
fn absolute(name: &str) -> Result<Name, Missing> {
    Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).map_err(|_| Missing::NoDomain)
}

fn missing(name: &str, error: &NetError) -> Missing {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NXDomain => Missing::NoDomain,
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NoError => Missing::NoData,
        other => {
            tracing::debug!("{name}: {other}");
            Missing::Unknown
        }
    }
}
