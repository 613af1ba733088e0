//! Access tables, access(5): in which order a client, a name or an address is looked up, and what the actions do.
//!
//! ```text
//! host.example.test  .example.test  .test  192.0.2.1  192.0.2  192.0  192          ; with parent_domain_matches_subdomains: no leading dots
//! user+ext@domain  user@domain  domain  .parent  user+ext@  user@
//! ```
//!
//! `HOLD`, `FILTER`, `REDIRECT` and `BCC` are not built: an entry with one of them refuses for now, and the log says why.

use config::maps::Maps;
use config::restrictions::{Access, BadList, Class, Reader, Restriction, Subject};
use mail::{Address, Status};

use super::{Checks, RECIPIENT, SENDER, Stage, Thing, Trust, Verdict, rejected};

impl Checks<'_> {
    pub(super) async fn access(&mut self, subject: Subject, access: &Access, list: &Thing) -> Verdict {
        let Some((key, found)) = self.looked_up(subject, access) else { return Verdict::Undecided };
        let thing = if subject == Subject::Login { Thing { name: key.clone(), ..list.clone() } } else { self.named(subject) };
        // who can choose a name freely can't be trusted for it
        let trust = if subject == Subject::Client && !access.table.is_always_permit() { Trust::Client } else { Trust::None };
        match self.act(&found, &thing, &access.spec).await {
            Verdict::Permit(_) => Verdict::Permit(trust),
            other => other,
        }
    }

    /// What the table has, and for what.
    fn looked_up(&self, subject: Subject, access: &Access) -> Option<(String, String)> {
        let maps = Maps::new(vec![access.table.clone()]);
        let facts = &self.facts;
        let subdomains = self.rules.subdomains;
        let client = |name: Option<&str>| {
            let name = name.unwrap_or("unknown");
            of_domain(&maps, name, subdomains).or_else(|| of_address(&maps, &facts.peer.address.to_string())).map(|found| (name.to_owned(), found))
        };
        match subject {
            Subject::Client => client(facts.peer.name.as_deref()),
            Subject::ReverseClient => client(facts.peer.reverse.name()),
            Subject::Helo => (!facts.helo.is_empty()).then(|| of_domain(&maps, facts.helo, subdomains))?.map(|found| (facts.helo.to_owned(), found)),
            Subject::Login => {
                let login = facts.identity?.login.to_string();
                maps.get(&login).map(|found| (login, found))
            }
            Subject::Sender if facts.sender.is_null() => maps.get(&self.rules.null_key).map(|found| (String::new(), found)),
            Subject::Sender | Subject::Recipient => {
                let address = self.address(subject)?;
                self.of_mail(&maps, address).map(|found| (address.to_string(), found))
            }
        }
    }

    fn of_mail(&self, maps: &Maps, address: &Address) -> Option<String> {
        let base = self.router.settings().without_extension(address).map(|(base, _)| base);
        maps.get(&address.to_string())
            .or_else(|| base.as_ref().and_then(|base| maps.get_part(&base.to_string())))
            .or_else(|| route::find_domain(maps, address.domain(), self.rules.subdomains))
            .or_else(|| maps.get_part(&format!("{}@", address.quoted_local())))
            .or_else(|| base.as_ref().and_then(|base| maps.get_part(&format!("{}@", base.quoted_local()))))
    }

    /// Does what an action says: of a table, or of a policy server.
    pub(super) async fn act(&mut self, action: &str, thing: &Thing, source: &str) -> Verdict {
        let action = action.trim_ascii();
        let (word, text) = action.split_once(|c: char| c.is_ascii_whitespace()).map_or((action, ""), |(word, text)| (word, text.trim_ascii()));
        let codes = self.rules.codes;
        match word.to_ascii_uppercase().as_str() {
            "DUNNO" => Verdict::Undecided,
            "OK" | "RELAY" => Verdict::Permit(Trust::None),
            "REJECT" => self.refused(codes.map_reject, Status(5, 7, 1), text, thing),
            "DEFER" => self.refused(codes.map_defer, Status(4, 7, 1), text, thing),
            "DEFER_IF_PERMIT" => {
                let (status, text) = told(text, Status(4, 7, 1), "Service unavailable", thing);
                self.maybe(status, text)
            }
            "DEFER_IF_REJECT" => {
                let (status, text) = told(text, Status(4, 7, 1), "Service unavailable", thing);
                self.defer_if_reject.get_or_insert_with(|| smtp::Reply::new(codes.map_defer, Status(4, status.1, status.2), text));
                Verdict::Undecided
            }
            "INFO" => self.noted_only("info", text),
            "WARN" => self.noted_only("warn", text),
            "PREPEND" => self.prepend(text, source),
            "DISCARD" => {
                let what = if text.is_empty() { "triggers DISCARD action" } else { text };
                self.noted.push(("discard", format!("<{}>: {} {what}", thing.name, thing.kind)));
                self.effects.discard = true;
                Verdict::Permit(Trust::None)
            }
            "HOLD" | "FILTER" | "REDIRECT" | "BCC" => {
                tracing::error!("{source}: the action {word} is not supported; mail that it is for is refused for now");
                self.server_error()
            }
            word if word.len() == 3 && word.starts_with(['4', '5']) && word.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() => {
                let code = word.parse().unwrap_or(451);
                let first = if code >= 500 { 5 } else { 4 };
                self.refused(code, Status(first, 7, 1), text, thing)
            }
            word if !word.is_empty() && action.bytes().all(|b| b.is_ascii_digit()) => Verdict::Permit(Trust::None),
            _ => self.list_of(action, thing, source).await,
        }
    }

    fn refused(&mut self, code: u16, usual: Status, text: &str, thing: &Thing) -> Verdict {
        let (status, text) = told(text, usual, "Access denied", thing);
        self.refuse(code, status, text)
    }

    fn noted_only(&mut self, word: &'static str, text: &str) -> Verdict {
        self.noted.push((word, text.to_owned()));
        Verdict::Undecided
    }

    /// A field for the top of the message.
    fn prepend(&mut self, text: &str, source: &str) -> Verdict {
        let name = text.split_once(':').map_or("", |(name, _)| name);
        let is_field = !name.is_empty() && name.bytes().all(|b| matches!(b, b'!'..=b'~'));
        if !is_field || self.facts.stage == Stage::End || text.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
            tracing::warn!("{source}: PREPEND needs \"header: text\", before smtpd_end_of_data_restrictions");
        } else {
            self.effects.prepend.push(format!("{text}\r\n"));
        }
        Verdict::Undecided
    }

    /// Restrictions again, or names of classes.
    async fn list_of(&mut self, text: &str, thing: &Thing, source: &str) -> Verdict {
        match self.read(text) {
            Ok(list) if !list.is_empty() => self.rules(&list, thing).await,
            Ok(_) => self.bad_action(source, "it is empty"),
            Err(bad) => self.bad_action(source, &bad.to_string()),
        }
    }

    fn read(&self, text: &str) -> Result<Vec<Restriction>, BadList> {
        let class = |name: &str| self.rules.classes.get(name).cloned().map(Class::Read);
        let mut open = |_: &str| Err("do not specify lookup tables inside access tables; name a restriction class instead".to_owned());
        Reader { class: &class, open: &mut open }.list(text, None)
    }

    fn bad_action(&mut self, source: &str, why: &str) -> Verdict {
        tracing::error!("{source}: an action that can't be followed: {why}");
        self.server_error()
    }
}

/// A name, then those above it.
fn of_domain(maps: &Maps, name: &str, subdomains: bool) -> Option<String> {
    let whole = maps.get(name);
    if whole.is_some() || name.parse::<std::net::IpAddr>().is_ok() {
        return whole;
    }
    route::find_domain(maps, name, subdomains)
}

/// An address, then its networks at the octets or groups.
fn of_address(maps: &Maps, address: &str) -> Option<String> {
    let delimiter = if address.contains(':') { ':' } else { '.' };
    let mut parts = address.rmatch_indices(delimiter).map(|(at, _)| &address[..at]);
    maps.get(address).or_else(|| parts.find_map(|part| maps.get_part(part)))
}

/// An optional enhanced code (RFC 3463) and text, after `<name>: Kind rejected:`; the code fits what is refused.
fn told(text: &str, usual: Status, default: &str, thing: &Thing) -> (Status, String) {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (status, text) = match Status::parse(first) {
        Some(status) => (status, rest.trim_ascii()),
        None => (usual, text),
    };
    (fitting(status, thing.kind), rejected(thing, if text.is_empty() { default } else { text }))
}

/// `X.1.Y` speaks of an address, of a sender or of a recipient (smtpd_dsn_fix of Postfix).
pub(super) fn fitting(Status(class, subject, detail): Status, kind: &str) -> Status {
    if subject != 1 {
        return Status(class, subject, detail);
    }
    let detail = match (kind, detail) {
        (SENDER, 2 | 8) => 8,
        (SENDER, 1 | 3 | 4 | 6 | 7) => 7,
        (SENDER, _) => 0,
        (RECIPIENT, 3 | 7) => 3,
        (RECIPIENT, 2 | 8) => 2,
        (RECIPIENT, 1 | 4 | 5 | 6) => detail,
        (RECIPIENT, _) => 0,
        _ => return Status(class, 0, 0),
    };
    Status(class, 1, detail)
}
