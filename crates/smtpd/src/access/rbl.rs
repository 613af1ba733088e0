//! Lists in the DNS (RFC 5782): of addresses, and of names.

use std::net::{IpAddr, Ipv4Addr};

use config::restrictions::{DnsList, Subject};
use mail::Status;
use net::dns::Missing;

use super::table::fitting;
use super::{Checks, Trust, Verdict};

/// Octets of the reason that a list gives.
const REASON: usize = 500;

/// `192.0.2.7` → `7.2.0.192`; IPv6 by nibbles (RFC 5782 §2.1, §2.4).
fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.octets().iter().rev().map(u8::to_string).collect::<Vec<_>>().join("."),
        IpAddr::V6(address) => address.octets().iter().rev().map(|octet| format!("{:x}.{:x}", octet & 15, octet >> 4)).collect::<Vec<_>>().join("."),
    }
}

impl Checks<'_> {
    /// `reject_rbl_client` and `reject_rhsbl_…`. A list that can't be asked blocks nobody.
    pub(super) async fn blocked(&mut self, subject: Subject, list: &DnsList) -> Verdict {
        let thing = self.named(subject);
        let (what, query) = match subject {
            Subject::Client => (self.facts.peer.address.to_string(), reversed(self.facts.peer.address)),
            _ => match self.domain(subject) {
                // a list of names has no addresses (Postfix: rbl of a numerical host)
                Some(domain) if domain.parse::<IpAddr>().is_err() && !domain.starts_with('[') => (thing.name.clone(), domain),
                _ => return Verdict::Undecided,
            },
        };
        let query = format!("{query}.{}", list.domain);
        match self.answer(&query, list).await {
            Ok(true) => {
                let reason = self.reason(&query).await;
                self.listed(list, thing.kind, &what, &reason)
            }
            Ok(false) => Verdict::Undecided,
            Err(()) => {
                tracing::warn!("{query}: RBL lookup error");
                Verdict::Undecided
            }
        }
    }

    /// `permit_dnswl_client`, `permit_rhswl_client`. One that can't be asked may have permitted: what is refused afterwards is refused for now.
    pub(super) async fn welcome(&mut self, by_name: bool, list: &DnsList) -> Verdict {
        let query = match (by_name, self.facts.peer.name.as_deref()) {
            (false, _) => reversed(self.facts.peer.address),
            (true, Some(name)) => name.to_owned(),
            (true, None) => return Verdict::Undecided,
        };
        // a list of others lets nobody relay
        match self.answer(&format!("{query}.{}", list.domain), list).await {
            Ok(true) if self.is_ours() => Verdict::Permit(Trust::None),
            Ok(_) => Verdict::Undecided,
            Err(()) => {
                let text = "Client host rejected: the allowlist lookup failed; please try again later".to_owned();
                self.defer_if_reject.get_or_insert_with(|| smtp::Reply::new(450, Status(4, 7, 1), text));
                Verdict::Undecided
            }
        }
    }

    fn domain(&self, subject: Subject) -> Option<String> {
        let facts = &self.facts;
        match subject {
            Subject::Login | Subject::Client => facts.peer.name.clone(),
            Subject::ReverseClient => facts.peer.reverse.name().map(str::to_owned),
            Subject::Helo => Some(facts.helo.to_owned()).filter(|helo| !helo.is_empty()),
            Subject::Sender | Subject::Recipient => self.address(subject).map(|address| address.domain().to_owned()),
        }
    }

    /// Whether the list has it, with an answer that counts.
    async fn answer(&self, query: &str, list: &DnsList) -> Result<bool, ()> {
        let Some(resolver) = self.resolver else { return Err(()) };
        match resolver.answers(query).await {
            Ok(answers) => Ok(answers.into_iter().any(|answer: Ipv4Addr| list.wants(answer))),
            Err(Missing::NoDomain | Missing::NoData) => Ok(false),
            Err(Missing::Unknown) => Err(()),
        }
    }

    async fn reason(&self, query: &str) -> String {
        let Some(resolver) = self.resolver else { return String::new() };
        let texts = resolver.texts(query).await.unwrap_or_default();
        texts.join(" / ").chars().take(REASON).collect()
    }

    fn listed(&mut self, list: &DnsList, kind: &str, what: &str, reason: &str) -> Verdict {
        let rules = self.rules;
        let code = rules.codes.rbl.to_string();
        // what others wrote is text, and nothing in it is expanded
        let names = |name: &str| {
            let value = match name {
                "rbl_code" => code.as_str(),
                "rbl_class" => kind,
                "rbl_what" => what,
                "rbl_domain" => list.domain.as_str(),
                "rbl_reason" | "rbl_txt" => reason,
                "client" => return Some(literally(&self.facts.peer.to_string())),
                "client_address" => return Some(self.facts.peer.address.to_string()),
                "helo_name" => self.facts.helo,
                _ => "",
            };
            Some(literally(value))
        };
        let template = rules.rbl_replies.get(&list.written).or_else(|| rules.rbl_replies.get(&list.domain)).unwrap_or_else(|| rules.rbl_reply.clone());
        let text = config::expand::expand(&template, &names).map(|expanded| expanded.text).unwrap_or_default();
        let (code, rest) = text.split_once(' ').unwrap_or_default();
        let code = code.parse::<u16>().ok().filter(|code| (400..600).contains(code));
        let Some(code) = code else {
            tracing::warn!("rbl response code configuration error: {text}");
            return self.refuse(450, Status(4, 7, 1), "Service unavailable".to_owned());
        };
        let (first, after) = rest.split_once(' ').unwrap_or((rest, ""));
        let (status, text) = Status::parse(first).map_or((Status(4, 7, 1), rest), |status| (status, after));
        self.refuse(code, fitting(status, kind), if text.is_empty() { "Service unavailable".to_owned() } else { text.to_owned() })
    }
}

fn literally(text: &str) -> String {
    text.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_for_backwards() {
        assert_eq!(reversed("192.0.2.7".parse().expect("an address")), "7.2.0.192");
        assert_eq!(reversed("2001:db8::1".parse().expect("an address")), "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2");
    }
}
