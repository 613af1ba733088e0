//! In which order the parts of an address are looked up: canonical(5), virtual(5), transport(5) of Postfix.
//!
//! ```text
//! user+ext@domain   user@domain   user+ext   user   @domain        ; user alone only where the domain is this machine's
//! user+ext@domain   user@domain   domain   .parent   *             ; transport; parent without its dot if
//!                                                                  ; parent_domain_matches_subdomains has transport_maps
//! ```
//!
//! Patterns see the whole address only. A local part in quotes is asked for with them, then without.

use config::maps::Maps;
use mail::Address;

use crate::settings::Settings;

/// What a table has for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub value: String,
    /// With its delimiter: what the table's key had not.
    pub extension: Option<String>,
}

impl Settings {
    /// The address without what follows a delimiter, and that with its delimiter.
    pub fn without_extension(&self, address: &Address) -> Option<(Address, String)> {
        let (base, detail) = address.split_delimiter(&self.delimiter);
        detail?;
        let extension = address.local().get(base.local().len()..)?.to_owned();
        Some((base, extension))
    }

    /// Looks an address up as canonical(5) and virtual(5) say.
    pub fn find(&self, maps: &Maps, address: &Address) -> Option<Found> {
        if maps.is_empty() {
            return None;
        }
        let bare = self.without_extension(address);
        let whole = |value: Option<String>| value.map(|value| Found { value, extension: None });
        let cut = |value: Option<String>| value.map(|value| Found { value, extension: bare.as_ref().map(|(_, extension)| extension.clone()) });
        let local = self.is_machine(address.domain());
        let base = bare.as_ref().map(|(base, _)| base);
        whole(full(maps, address))
            .or_else(|| cut(base.and_then(|base| part(maps, &base.to_string(), &raw(base)))))
            .or_else(|| whole(local.then(|| part(maps, &address.quoted_local(), address.local())).flatten()))
            .or_else(|| cut(base.filter(|_| local).and_then(|base| part(maps, &base.quoted_local(), base.local()))))
            .or_else(|| whole(maps.get_part(&format!("@{}", address.domain()))))
    }

    /// Looks an address up as transport(5) says.
    pub(crate) fn find_way(&self, maps: &Maps, address: &Address) -> Option<String> {
        if maps.is_empty() {
            return None;
        }
        let base = self.without_extension(address).map(|(base, _)| base);
        full(maps, address)
            .or_else(|| base.and_then(|base| part(maps, &base.to_string(), &raw(&base))))
            .or_else(|| find_domain(maps, address.domain(), self.transports_match_subdomains))
            .or_else(|| maps.get_part("*"))
    }
}

/// A domain, then those above it: with their leading dot, or without if `subdomains` are matched by them.
pub fn find_domain(maps: &Maps, domain: &str, subdomains: bool) -> Option<String> {
    let above = domain.match_indices('.').map(|(at, _)| if subdomains { &domain[at + 1..] } else { &domain[at..] });
    std::iter::once(domain).chain(above).find_map(|key| maps.get_part(key))
}

/// `user@domain` as it is spelt inside, without quotes.
fn raw(address: &Address) -> String {
    format!("{}@{}", address.local(), address.domain())
}

fn full(maps: &Maps, address: &Address) -> Option<String> {
    let (quoted, raw) = (address.to_string(), raw(address));
    maps.get(&quoted).or_else(|| (raw != quoted).then(|| maps.get(&raw)).flatten())
}

fn part(maps: &Maps, quoted: &str, raw: &str) -> Option<String> {
    maps.get_part(quoted).or_else(|| (raw != quoted).then(|| maps.get_part(raw)).flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    #[test]
    fn parts_are_asked_for_in_their_order() {
        let all = "a+x@local.test=1, a@local.test=2, a+x=3, a=4, @local.test=5, \"b c\"@local.test=6, @far.test=7, a@far.test=8, d e=9";
        let settings = settings("myhostname = local.test\nmyorigin = local.test\nrecipient_delimiter = +-\n");
        let maps = |without: usize| {
            let rows: Vec<&str> = all.split(", ").skip(without).collect();
            crate::settings::tests::maps(&rows.join("\n").replace('=', "\t"))
        };
        let told = |maps: &Maps, address: &str| {
            let found = settings.find(maps, &Address::parse(address).unwrap());
            found.map(|found| format!("{}{}", found.value, found.extension.unwrap_or_default()))
        };
        for (without, address, want) in [
            (0, "a+x@local.test", Some("1")),
            (1, "A+x@Local.test", Some("2+x")),
            (2, "a+x@local.test", Some("3")),
            (3, "a+x@local.test", Some("4+x")),
            (3, "a-y+x@local.test", Some("4-y+x")),
            (4, "a+x@local.test", Some("5")),
            (5, "a+x@local.test", None),
            (2, "a@local.test", Some("4")),
            (0, "\"b c\"@local.test", None), // postmap takes the quotes off a key
            (2, "a+x@far.test", Some("8+x")),
            (2, "z+x@far.test", Some("7")),
            (8, "a@far.test", None),
        ] {
            assert_eq!(told(&maps(without), address).as_deref().filter(|_| !address.starts_with('"')), want, "{without} {address}");
        }
    }
}
