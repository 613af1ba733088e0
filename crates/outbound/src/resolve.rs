//! From a next hop to the hosts to try, in order — RFC 5321 §5, RFC 7505.
//!
//! Three answers are told apart everywhere: there is, there is not, and nobody knows now. Only the second bounces.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};

use mail::Status;
use mda::status::Verdict;
use net::dns::RECORDS;
pub use net::dns::{Missing, NoResolver, Resolver};
use rand::seq::SliceRandom;

use crate::hop::Hop;
use crate::settings::Settings;

/// Mail would come back to us.
pub(crate) const LOOPS: Status = Status(5, 4, 6);

/// A host to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub name: String,
    /// The next hop that led to it, as it is written: logins are looked up by it.
    pub hop: String,
    pub address: SocketAddr,
}

/// What is asked of the DNS; a trait, so that choosing hosts can be tested with a table.
pub trait Names: Send + Sync {
    /// Preferences and names, without trailing dots; a null MX is an empty name.
    fn mx(&self, domain: &str) -> impl Future<Output = Result<Vec<(u16, String)>, Missing>> + Send;
    /// All addresses of the kinds that are used.
    fn addresses(&self, host: &str) -> impl Future<Output = Result<Vec<IpAddr>, Missing>> + Send;
}

/// The hosts of a hop, or why there are none.
pub async fn hosts(names: &impl Names, hop: &Hop, settings: &Settings) -> Result<Vec<Host>, Verdict> {
    let port = hop.port.unwrap_or(settings.port);
    if let Some(address) = hop.literal {
        let address = SocketAddr::new(address, port);
        return match settings.is_own(address) {
            true => Err(loops(hop)),
            false => Ok(vec![Host { name: hop.host.clone(), hop: hop.to_string(), address }]),
        };
    }
    if hop.direct {
        let addresses = names.addresses(&hop.host).await.map_err(|missing| not_found(&hop.host, "A", missing))?;
        let found = addresses.into_iter().map(|ip| Host { name: hop.host.clone(), hop: hop.to_string(), address: SocketAddr::new(ip, port) }).collect();
        return chosen(hop, vec![found], settings);
    }
    let mut exchangers = match names.mx(&hop.host).await {
        Ok(exchangers) => exchangers,
        // the domain is its own exchanger (RFC 5321 §5.1), but only where nobody says otherwise
        Err(Missing::NoData) => vec![(0, hop.host.clone())],
        Err(missing) => return Err(not_found(&hop.host, "MX", missing)),
    };
    if matches!(&exchangers[..], [(_, name)] if name.is_empty()) {
        return Err(Verdict::Failed(Status(5, 1, 0), format!("Domain {} does not accept mail (nullMX)", hop.host)));
    }
    exchangers.retain(|(_, name)| !name.is_empty()); // RFC 7505 §3: beside others it means nothing
    let groups = by_preference(names, exchangers, hop, port).await.map_err(|missing| not_found(&hop.host, "A", missing))?;
    chosen(hop, groups, settings)
}

/// Hosts of one preference stand together. The last reason counts if nobody has an address; what is unknown counts before what is not.
async fn by_preference(names: &impl Names, mut exchangers: Vec<(u16, String)>, hop: &Hop, port: u16) -> Result<Vec<Vec<Host>>, Missing> {
    exchangers.sort_by_key(|(preference, _)| *preference);
    let (mut groups, mut last, mut missing) = (Vec::<Vec<Host>>::new(), None, Missing::NoData);
    for (preference, name) in exchangers.into_iter().take(RECORDS) {
        let addresses = match names.addresses(&name).await {
            Ok(addresses) => addresses,
            Err(why) => {
                missing = if missing == Missing::Unknown { missing } else { why };
                continue;
            }
        };
        if last != Some(preference) {
            groups.push(Vec::new());
            last = Some(preference);
        }
        if let Some(group) = groups.last_mut() {
            group.extend(addresses.into_iter().map(|ip| Host { name: name.clone(), hop: hop.to_string(), address: SocketAddr::new(ip, port) }));
        }
    }
    if groups.is_empty() { Err(missing) } else { Ok(groups) }
}

/// Cuts off ourselves and whoever is less preferred, shuffles within a preference, lets both families be tried, and keeps the first few.
fn chosen(hop: &Hop, groups: Vec<Vec<Host>>, settings: &Settings) -> Result<Vec<Host>, Verdict> {
    let mut all = Vec::new();
    for mut group in groups {
        if group.iter().any(|host| settings.is_own(host.address)) {
            break;
        }
        if settings.randomize {
            group.shuffle(&mut rand::rng());
        }
        all.extend(alternating(group));
    }
    if all.is_empty() {
        return Err(loops(hop));
    }
    if settings.address_limit > 0 {
        all.truncate(settings.address_limit);
    }
    Ok(all)
}

/// IPv6 and IPv4 in turns, beginning with that of the first (`smtp_balance_inet_protocols`).
fn alternating(group: Vec<Host>) -> Vec<Host> {
    let first_is_v6 = group.first().is_some_and(|host| host.address.is_ipv6());
    let (first, second): (Vec<Host>, Vec<Host>) = group.into_iter().partition(|host| host.address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::new();
    loop {
        match (first.next(), second.next()) {
            (None, None) => return all,
            (one, other) => all.extend(one.into_iter().chain(other)),
        }
    }
}

/// Mail for it would come back to us.
fn loops(hop: &Hop) -> Verdict {
    Verdict::Failed(LOOPS, format!("mail for {} loops back to myself", hop.host))
}

/// In Postfix's words.
fn not_found(name: &str, kind: &str, missing: Missing) -> Verdict {
    let text = |why: &str| format!("Host or domain name not found. Name service error for name={name} type={kind}: {why}");
    match missing {
        Missing::NoDomain => Verdict::Failed(Status(5, 4, 4), text("Host not found")),
        Missing::NoData => Verdict::Failed(Status(5, 4, 4), text("Host found but no data record of requested type")),
        Missing::Unknown => Verdict::Deferred(Status(4, 4, 3), text("Host not found, try again")),
    }
}

impl Names for Resolver {
    async fn mx(&self, domain: &str) -> Result<Vec<(u16, String)>, Missing> {
        Resolver::mx(self, domain).await
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Missing> {
        Resolver::addresses(self, host).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// `MX d` → `10 host`, `A host` → addresses; `?` is nobody knows, nothing is no such name.
    struct Table(HashMap<String, &'static str>);

    fn table(lines: &[(&str, &'static str)]) -> Table {
        Table(lines.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect())
    }

    impl Table {
        fn words(&self, key: String) -> Result<Vec<&str>, Missing> {
            match self.0.get(&key) {
                None => Err(Missing::NoDomain),
                Some(&"") => Err(Missing::NoData),
                Some(&"?") => Err(Missing::Unknown),
                Some(words) => Ok(words.split(' ').collect()),
            }
        }
    }

    impl Names for Table {
        async fn mx(&self, domain: &str) -> Result<Vec<(u16, String)>, Missing> {
            let one = |word: &str| word.split_once('=').and_then(|(preference, name)| Some((preference.parse().ok()?, name.to_owned())));
            Ok(self.words(format!("MX {domain}"))?.into_iter().filter_map(one).collect())
        }

        async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Missing> {
            Ok(self.words(format!("A {host}"))?.into_iter().filter_map(|word| word.parse().ok()).collect())
        }
    }

    async fn told(table: &Table, hop: &str) -> String {
        let settings = Settings { own: vec!["192.0.2.99:25".parse().expect("an address")], randomize: false, ..Settings::default() };
        match hosts(table, &Hop::parse(hop).expect("a hop"), &settings).await {
            Ok(hosts) => hosts.iter().map(|host| format!("{}={}", host.name, host.address)).collect::<Vec<_>>().join(" "),
            Err(Verdict::Deferred(status, text) | Verdict::Failed(status, text)) => format!("{status} {text}"),
        }
    }

    #[tokio::test]
    async fn hosts_are_chosen() {
        let table = table(&[
            ("MX two.test", "20=b.test 10=a.test"),
            ("A a.test", "192.0.2.1"),
            ("A b.test", "192.0.2.2"),
            ("A self.test", "192.0.2.99"),
            ("MX bare.test", ""),
            ("A bare.test", "192.0.2.5"),
            ("MX null.test", "0="),
            ("MX lost.test", "?"),
            ("MX backup.test", "10=a.test 20=self.test 30=b.test"),
            ("MX mine.test", "10=self.test 20=b.test"),
            ("MX half.test", "10=gone.test 20=b.test"),
            ("MX dead.test", "10=gone.test"),
            ("MX slow.test", "10=gone.test 20=later.test"),
            ("A later.test", "?"),
            ("MX many.test", "10=many.test"),
            ("A many.test", "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.6 192.0.2.7 192.0.2.8 2001:db8::1"),
        ]);
        let not_found = |name: &str, kind: &str, why: &str| format!("Host or domain name not found. Name service error for name={name} type={kind}: {why}");
        for (hop, expected) in [
            ("two.test", "a.test=192.0.2.1:25 b.test=192.0.2.2:25".to_owned()),
            ("two.test:2525", "a.test=192.0.2.1:2525 b.test=192.0.2.2:2525".into()),
            ("[a.test]:587", "a.test=192.0.2.1:587".into()),
            ("[192.0.2.7]", "192.0.2.7=192.0.2.7:25".into()),
            ("bare.test", "bare.test=192.0.2.5:25".into()),
            ("null.test", "5.1.0 Domain null.test does not accept mail (nullMX)".into()),
            ("nowhere.test", format!("5.4.4 {}", not_found("nowhere.test", "MX", "Host not found"))),
            ("lost.test", format!("4.4.3 {}", not_found("lost.test", "MX", "Host not found, try again"))),
            ("backup.test", "a.test=192.0.2.1:25".into()),
            ("mine.test", "5.4.6 mail for mine.test loops back to myself".into()),
            ("[192.0.2.99]", "5.4.6 mail for 192.0.2.99 loops back to myself".into()),
            ("[192.0.2.99]:587", "192.0.2.99=192.0.2.99:587".into()),
            ("half.test", "b.test=192.0.2.2:25".into()),
            ("dead.test", format!("5.4.4 {}", not_found("dead.test", "A", "Host not found"))),
            ("slow.test", format!("4.4.3 {}", not_found("slow.test", "A", "Host not found, try again"))),
            ("many.test", "many.test=192.0.2.1:25 many.test=[2001:db8::1]:25 many.test=192.0.2.2:25 many.test=192.0.2.3:25 many.test=192.0.2.4:25".into()),
        ] {
            assert_eq!(told(&table, hop).await, expected, "{hop}");
        }
    }

    #[tokio::test]
    async fn equals_are_shuffled() {
        let table = table(&[("MX many.test", "10=a.test 10=b.test 10=c.test 10=d.test"), ("A a.test", "192.0.2.1"), ("A b.test", "192.0.2.2"), ("A c.test", "192.0.2.3"), ("A d.test", "192.0.2.4")]);
        let mut first = std::collections::HashSet::new();
        for _ in 0..1_000 {
            let hosts = hosts(&table, &Hop::parse("many.test").expect("a hop"), &Settings::default()).await.expect("hosts");
            first.insert(hosts.first().expect("one").name.clone());
        }
        assert_eq!(first.len(), 4);
    }
}
