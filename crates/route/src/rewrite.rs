//! Addresses written otherwise, before anything is decided about them: standard form, canonical(5), masquerading, and at the way out generic(5).
//! ADDRESS_REWRITING_README of Postfix is the map; each step is a function, and none asks for more than tables.

use config::maps::Maps;
use mail::address::BadAddress;
use mail::{Address, ReversePath};

use crate::explain::Trace;
use crate::settings::Settings;

/// Times that a canonical table is asked again for what it gave.
pub const CANONICAL_ROUNDS: usize = 10;

/// Where an address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    EnvelopeSender,
    EnvelopeRecipient,
    HeaderSender,
    HeaderRecipient,
}

impl Place {
    /// As `canonical_classes` and its kin name it.
    fn word(self) -> &'static str {
        match self {
            Place::EnvelopeSender => "envelope_sender",
            Place::EnvelopeRecipient => "envelope_recipient",
            Place::HeaderSender => "header_sender",
            Place::HeaderRecipient => "header_recipient",
        }
    }

    fn is_sender(self) -> bool {
        matches!(self, Place::EnvelopeSender | Place::HeaderSender)
    }
}

/// A table, and the places it is for.
#[derive(Clone, Debug, Default)]
pub struct Canonical {
    pub maps: Maps,
    pub classes: Vec<String>,
}

impl Canonical {
    fn is_for(&self, place: Place) -> bool {
        !self.maps.is_empty() && self.classes.iter().any(|class| class == place.word())
    }
}

/// `masquerade_domains` and what belongs to them.
#[derive(Clone, Debug, Default)]
pub struct Masquerade {
    pub domains: Vec<String>,
    pub classes: Vec<String>,
    /// Local parts left alone; tables among them have local parts as keys.
    pub exceptions: config::domains::Domains,
}

impl Settings {
    /// An address as a local submission may write it: `user` gets `@$myorigin`, `user@host` gets `.$mydomain`, each if its
    /// parameter says so. Postfix's "standard form".
    pub fn complete(&self, text: &str) -> Result<Address, BadAddress> {
        let whole = match text.rsplit_once('@') {
            None if self.append_origin => Address::parse(&format!("{text}@{}", self.origin))?,
            _ => Address::parse(text)?,
        };
        Ok(self.standard(&whole))
    }

    /// The same of an address that has a domain.
    pub fn standard(&self, address: &Address) -> Address {
        let short = !address.domain().contains('.') && address.literal().is_none() && address.domain() != "localhost";
        if !self.append_domain || !short {
            return address.clone();
        }
        Address::new(address.local(), &format!("{}.{}", address.domain(), self.domain)).unwrap_or_else(|_| address.clone())
    }

    /// The address as it goes on: standard form, then the canonical tables, then masquerading.
    pub fn rewritten(&self, address: &Address, place: Place) -> Address {
        self.rewrite_told(address, place, &Trace::default())
    }

    /// The sender of a message that comes in. `mailer-daemon@$myorigin` is nobody: mail to it would only come back.
    pub fn sender(&self, from: &ReversePath) -> ReversePath {
        match from {
            ReversePath::Address(address) if address.local().eq_ignore_ascii_case("mailer-daemon") && address.domain() == self.origin => ReversePath::Null,
            ReversePath::Address(address) => ReversePath::Address(self.rewritten(address, Place::EnvelopeSender)),
            ReversePath::Null => ReversePath::Null,
        }
    }

    /// An addr-spec of a header as it goes on; `None`: as it stands, letter by letter.
    pub fn header_address(&self, spec: &str, place: Place) -> Option<String> {
        let (whole, bare) = match Address::parse(spec) {
            Ok(whole) => (whole, false),
            Err(BadAddress::NoDomain) => (self.complete(spec).ok()?, true),
            Err(_) => return None,
        };
        let now = self.rewritten(&whole, place);
        (bare || now != whole).then(|| now.to_string())
    }

    pub(crate) fn rewrite_told(&self, address: &Address, place: Place, trace: &Trace) -> Address {
        let mut now = self.standard(address);
        if now != *address {
            trace.tell("standard", address, || (now.to_string(), "append_dot_mydomain = yes".to_owned()));
        }
        let one_side = if place.is_sender() { ("sender_canonical_maps", &self.sender_canonical) } else { ("recipient_canonical_maps", &self.recipient_canonical) };
        for (name, table) in [one_side, ("canonical_maps", &self.canonical)] {
            if table.is_for(place) {
                let next = self.canonical(&table.maps, now.clone());
                if next != now {
                    trace.tell("canonical", &now, || (next.to_string(), format!("{name} has it")));
                }
                now = next;
            }
        }
        if self.masquerade.classes.iter().any(|class| class == place.word()) {
            let next = self.masqueraded(&now);
            if next != now {
                trace.tell("masquerade", &now, || (next.to_string(), "masquerade_domains hides the host".to_owned()));
            }
            now = next;
        }
        now
    }

    /// One address for one, asked again until it gives itself or nothing. What is no address is left out, and said.
    fn canonical(&self, maps: &Maps, mut address: Address) -> Address {
        for _ in 0..CANONICAL_ROUNDS {
            let Some(next) = self.mapped(maps, &address, self.propagates.canonical) else { return address };
            let same = next.is_same(&address);
            address = next;
            if same {
                break;
            }
        }
        address
    }

    /// The first address that a table has for this one.
    fn mapped(&self, maps: &Maps, address: &Address, propagates: bool) -> Option<Address> {
        let found = self.find(maps, address)?;
        match self.addresses(&found, address, propagates) {
            Ok(addresses) => addresses.into_iter().next(),
            Err(what) => {
                tracing::warn!("a table has \"{}\" for {address}: {what}", found.value);
                None
            }
        }
    }

    /// `user@host.DOMAIN` → `user@DOMAIN`; the first of `masquerade_domains` at or above the host decides.
    fn masqueraded(&self, address: &Address) -> Address {
        if self.masquerade.exceptions.contains(address.local()) {
            return address.clone();
        }
        for element in &self.masquerade.domains {
            let name = element.trim_start_matches('!');
            let hides = (element.len() - name.len()).is_multiple_of(2);
            if name.is_empty() || address.domain() != name && !address.domain().strip_suffix(name).is_some_and(|host| host.ends_with('.')) {
                continue;
            }
            return if hides { Address::new(address.local(), name).unwrap_or_else(|_| address.clone()) } else { address.clone() };
        }
        address.clone()
    }

    /// What an address is called elsewhere: `smtp_generic_maps`, for envelopes and headers of mail that leaves this machine.
    pub fn generic(&self, address: &Address) -> Option<Address> {
        self.mapped(&self.generic_maps, address, self.propagates.generic)
    }

    /// True if no address is called otherwise elsewhere.
    pub fn has_no_generic(&self) -> bool {
        self.generic_maps.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    fn told(main_cf: &str, place: Place, address: &str) -> String {
        settings(main_cf).rewritten(&Address::parse(address).unwrap(), place).to_string()
    }

    #[test]
    fn bare_addresses_are_completed() {
        let old = settings("");
        let new = settings("compatibility_level = 3.7");
        for (text, with_old, with_new) in [
            ("root", "root@example.test", "root@example.test"),
            ("root@www", "root@www.example.test", "root@www"),
            ("root@localhost", "root@localhost", "root@localhost"),
            ("root@other.test", "root@other.test", "root@other.test"),
            ("root@[127.0.0.1]", "root@[127.0.0.1]", "root@[127.0.0.1]"),
        ] {
            assert_eq!(old.complete(text).unwrap().to_string(), with_old, "{text}");
            assert_eq!(new.complete(text).unwrap().to_string(), with_new, "{text}");
        }
        assert!(settings("append_at_myorigin = no").complete("root").is_err());
        assert!(new.complete("").is_err());
    }

    /// What `cleanup_masq.ref` of Postfix has: lists, addresses and what comes of them.
    #[test]
    fn hosts_are_hidden() {
        for (list, address, want) in [
            ("a.b.c,b.c", "x@aa.a.b.c", "x@a.b.c"),
            ("a.b.c,b.c", "x@a.b.c", "x@a.b.c"),
            ("a.b.c,b.c", "x@aaa.b.c", "x@b.c"),
            ("a.b.c,b.c", "x@b.c", "x@b.c"),
            ("!a.b.c,b.c", "x@aa.a.b.c", "x@aa.a.b.c"),
            ("!a.b.c,b.c", "x@aaa.b.c", "x@b.c"),
            ("b.c", "x@notb.c", "x@notb.c"),
            ("B.C", "x@w.b.c", "x@b.c"),
            ("b.c", "root@w.b.c", "root@w.b.c"),
        ] {
            let main_cf = format!("masquerade_domains = {list}\nmasquerade_exceptions = root\n");
            assert_eq!(told(&main_cf, Place::EnvelopeSender, address), want, "{list} {address}");
            assert_eq!(told(&main_cf, Place::EnvelopeRecipient, address), address, "not among masquerade_classes");
        }
    }

    #[test]
    fn canonical_tables_are_asked_by_their_classes() {
        let main_cf = "recipient_delimiter = +\ncanonical_maps = inline:{a@x.test=b@x.test, b@x.test=c@x.test, loop@x.test=pool@x.test, pool@x.test=loop@x.test, @old.test=@new.test, me@x.test=me@x.test}\n\
            sender_canonical_maps = inline:{s@x.test=a@x.test}\nrecipient_canonical_maps = inline:{r@x.test=first@x.test}\ncanonical_classes = envelope_sender, envelope_recipient, header_sender\n";
        for (place, address, want) in [
            (Place::EnvelopeSender, "a@x.test", "c@x.test"),
            (Place::EnvelopeSender, "a+y@x.test", "c+y@x.test"),
            (Place::EnvelopeSender, "s@x.test", "c@x.test"),
            (Place::EnvelopeRecipient, "s@x.test", "s@x.test"),
            (Place::EnvelopeRecipient, "r@x.test", "first@x.test"),
            (Place::HeaderRecipient, "r@x.test", "first@x.test"),
            (Place::HeaderRecipient, "a@x.test", "a@x.test"),
            (Place::EnvelopeSender, "u+v@old.test", "u+v@new.test"),
            (Place::EnvelopeSender, "me@x.test", "me@x.test"),
        ] {
            assert_eq!(told(main_cf, place, address), want, "{place:?} {address}");
        }
        assert_eq!(told(main_cf, Place::EnvelopeSender, "loop@x.test"), "loop@x.test", "ten rounds lead back");
        let kept = format!("{main_cf}propagate_unmatched_extensions =\n");
        assert_eq!(told(&kept, Place::EnvelopeSender, "a+y@x.test"), "c@x.test");
    }

    #[test]
    fn addresses_of_headers_are_rewritten_or_left_as_they_are() {
        let settings = settings("masquerade_domains = example.test\ncanonical_maps = inline:{joe@example.test=Joe.Doe@example.test}\n");
        for (spec, place, want) in [
            ("root", Place::HeaderSender, Some("root@example.test")),
            ("A@W.Example.test", Place::HeaderSender, Some("A@example.test")),
            ("Joe@Example.TEST", Place::HeaderRecipient, Some("Joe.Doe@example.test")),
            ("A@Example.TEST", Place::HeaderSender, None),
            ("not an address", Place::HeaderSender, None),
            ("a@b@c", Place::HeaderSender, None),
        ] {
            assert_eq!(settings.header_address(spec, place).as_deref(), want, "{spec}");
        }
    }

    #[test]
    fn senders_are_rewritten_and_mailer_daemon_is_nobody() {
        let settings = settings("masquerade_domains = example.test\n");
        for (from, want) in [("a@w.example.test", "a@example.test"), ("MAILER-DAEMON@example.test", ""), ("mailer-daemon@far.test", "mailer-daemon@far.test"), ("", "")] {
            assert_eq!(settings.sender(&ReversePath::parse(from).unwrap()).to_string(), want, "{from}");
        }
    }

    #[test]
    fn generic_is_asked_once() {
        let settings = settings("recipient_delimiter = +\nsmtp_generic_maps = inline:{alice@example.test=al@isp.test, @example.test=office@isp.test, al@isp.test=no@isp.test}\n");
        for (address, want) in [("alice@example.test", Some("al@isp.test")), ("alice+x@example.test", Some("al@isp.test")), ("bob@example.test", Some("office@isp.test")), ("x@far.test", None)] {
            assert_eq!(settings.generic(&Address::parse(address).unwrap()).map(|a| a.to_string()).as_deref(), want, "{address}");
        }
    }
}
