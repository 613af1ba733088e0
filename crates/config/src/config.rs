//! A configuration that exists is sound: all of it was expanded, read and checked when it was made.

use crate::check;
use crate::domains::Domains;
use crate::listen::{self, Ground, Listen};
use crate::machine::Machine;
use crate::maps::{Library, Maps, Table};
use crate::networks::Networks;
use crate::problem::{Problem, Severity};
use crate::raw::Raw;
use crate::restrictions::{self, Class, Reader, Restriction, Subject};
use crate::source::Source;
use crate::table::{self, Kind};
use crate::value;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What lies outside of main.cf and is asked for while it is read.
pub struct Outside<'a> {
    pub machine: Machine,
    /// The text of a file that main.cf names (`myorigin = /etc/mailname`, `mydestination = /etc/domains`, tables).
    pub read: &'a dyn Fn(&Path) -> Result<String, String>,
    /// Addresses of a host name in `inet_interfaces` or `SERVICE_listen`.
    pub resolve: &'a dyn Fn(&str) -> Vec<IpAddr>,
}

impl Outside<'_> {
    /// Nothing but a loopback: for tests.
    pub fn nothing(hostname: &str) -> Outside<'static> {
        Outside { machine: Machine::loopback(hostname), read: &|_| Err("no such file".to_owned()), resolve: &|_| Vec::new() }
    }
}

/// All parameters that this program obeys, read and sound.
#[derive(Clone, Debug)]
pub struct Config {
    directory: PathBuf,
    values: BTreeMap<&'static str, String>,
    mydestination: Domains,
    relay_domains: Domains,
    mynetworks: Networks,
    unlimited: Networks,
    restrictions: BTreeMap<&'static str, Arc<[Restriction]>>,
    classes: BTreeMap<String, Arc<[Restriction]>>,
    /// Neither list that decides about relaying, as written, stops strangers.
    open_as_written: bool,
    listens: BTreeMap<&'static str, Vec<Listen>>,
    addresses: Vec<std::net::IpAddr>,
    maps: BTreeMap<&'static str, Maps>,
    lists: BTreeMap<&'static str, Domains>,
    problems: Vec<Problem>,
}

/// The table of accounts, as Postfix calls that of the system's users: whoever has mail here is in the directory.
pub const ACCOUNTS: &str = "unix:passwd.byname";

/// What a table without a word before it is asked for, in each list.
const DEFAULT_TABLES: [(&str, Subject); 6] = [
    ("local_header_rewrite_clients", Subject::Client),
    ("smtpd_client_restrictions", Subject::Client),
    ("smtpd_helo_restrictions", Subject::Helo),
    ("smtpd_recipient_restrictions", Subject::Recipient),
    ("smtpd_relay_restrictions", Subject::Recipient),
    ("smtpd_sender_restrictions", Subject::Sender),
];

/// Texts that are expanded where they are used.
const RAW: [&str; 1] = ["default_rbl_reply"];

/// Lists of names beside `mydestination` and `relay_domains`; tables among them have names as keys.
const NAME_LISTS: [&str; 2] = ["masquerade_exceptions", "virtual_alias_domains"];

impl Config {
    /// Reads `text`, the main.cf of `directory`. The error holds every finding, those that are no errors too.
    pub fn new(directory: &Path, text: &str, outside: &Outside<'_>) -> Result<Config, Vec<Problem>> {
        let file = directory.join("main.cf").display().to_string();
        let raw = Raw {
            directory: directory.display().to_string(),
            source: Source::parse(&file, text),
            overrides: Vec::new(),
            machine: outside.machine.clone(),
        };
        let mut problems = raw.source.problems.clone();
        let mut config = Config {
            directory: directory.to_owned(),
            values: BTreeMap::new(),
            mydestination: Domains::default(),
            relay_domains: Domains::default(),
            mynetworks: Networks::default(),
            unlimited: Networks::default(),
            restrictions: BTreeMap::new(),
            classes: BTreeMap::new(),
            open_as_written: false,
            listens: BTreeMap::new(),
            addresses: outside.machine.addresses.iter().map(|(address, _)| *address).collect(),
            maps: BTreeMap::new(),
            lists: BTreeMap::new(),
            problems: Vec::new(),
        };
        config.fill(&raw, outside, &mut problems);
        check::names(&raw, &mut problems);
        if !problems.iter().any(Problem::is_error) {
            config.understand(&raw, outside, &mut problems);
        }
        if !problems.iter().any(Problem::is_error) {
            check::sense(&config, &raw, &mut problems);
        }
        check::drop_consequences(&mut problems);
        problems.sort_by_key(|problem| (problem.line.unwrap_or(u32::MAX), std::cmp::Reverse(problem.severity)));
        if problems.iter().any(Problem::is_error) {
            return Err(problems);
        }
        config.problems = problems;
        Ok(config)
    }

    /// Warnings and notes; nothing in them stops the start.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The tables of a parameter of kind [`Kind::Maps`].
    pub fn maps(&self, name: &str) -> Maps {
        debug_assert!(table::parameter(name).is_some_and(|parameter| parameter.kind == Kind::Maps), "{name} lists no tables");
        self.maps.get(name).cloned().unwrap_or_default()
    }

    /// Whether `local_recipient_maps` has the directory's accounts among its tables, as `unix:passwd.byname`.
    pub fn accounts_are_recipients(&self) -> bool {
        self.list("local_recipient_maps").iter().any(|spec| is_accounts(spec))
    }

    /// A list of names: `virtual_alias_domains`, `masquerade_exceptions`.
    pub fn domains(&self, name: &str) -> Domains {
        self.lists.get(name).cloned().unwrap_or_default()
    }

    /// Whether `list` is in `parent_domain_matches_subdomains`: a domain stands for those below it.
    pub fn matches_subdomains(&self, list: &str) -> bool {
        self.list("parent_domain_matches_subdomains").iter().any(|name| name.eq_ignore_ascii_case(list))
    }

    /// The addresses of this machine.
    pub fn addresses(&self) -> &[std::net::IpAddr] {
        &self.addresses
    }

    /// The `-c` directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The expanded text of a supported parameter; empty for any other name.
    pub fn text(&self, name: &str) -> &str {
        let value = self.values.get(name);
        debug_assert!(value.is_some(), "{name} is no supported parameter");
        value.map_or("", String::as_str)
    }

    /// A parameter of kind [`Kind::Bool`].
    pub fn bool(&self, name: &str) -> bool {
        value::boolean(self.text(name)).unwrap_or_default()
    }

    /// A parameter of kind [`Kind::Int`].
    pub fn int(&self, name: &str) -> i64 {
        value::integer(self.text(name), i64::MIN, i64::MAX).unwrap_or_default()
    }

    /// A parameter of kind [`Kind::Int`] as a count; what is below zero is zero.
    pub fn count(&self, name: &str) -> usize {
        usize::try_from(self.int(name)).unwrap_or_default()
    }

    /// A parameter of kind [`Kind::Size`], in octets.
    pub fn size(&self, name: &str) -> u64 {
        value::size(self.text(name)).unwrap_or_default()
    }

    /// A parameter of kind [`Kind::Size`] where 0 means that there is no limit.
    pub fn limit(&self, name: &str) -> Option<u64> {
        Some(self.size(name)).filter(|limit| *limit > 0)
    }

    /// A parameter of kind [`Kind::Time`].
    pub fn time(&self, name: &str) -> Duration {
        let unit = match table::parameter(name).map(|parameter| parameter.kind) {
            Some(Kind::Time(unit)) => unit,
            _ => 's',
        };
        value::time(self.text(name), unit).unwrap_or_default()
    }

    /// The elements of a parameter that is a list.
    pub fn list(&self, name: &str) -> Vec<String> {
        value::list(self.text(name)).unwrap_or_default()
    }

    /// A parameter that is a path; relative ones are below the configuration directory. None if empty.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let text = self.text(name);
        (!text.is_empty()).then(|| self.directory.join(text))
    }

    /// `myhostname`.
    pub fn hostname(&self) -> &str {
        self.text("myhostname")
    }

    /// `store_directory`.
    pub fn store_directory(&self) -> PathBuf {
        self.path("store_directory").unwrap_or_default()
    }

    /// The domains of the local class.
    pub fn mydestination(&self) -> &Domains {
        &self.mydestination
    }

    /// The domains whose mail is taken in to be passed on.
    pub fn relay_domains(&self) -> &Domains {
        &self.relay_domains
    }

    /// The trusted clients.
    pub fn mynetworks(&self) -> &Networks {
        &self.mynetworks
    }

    /// Clients without limits (`smtpd_client_event_limit_exceptions`).
    pub fn unlimited_clients(&self) -> &Networks {
        &self.unlimited
    }

    /// A list of restrictions. Those of relaying and of recipients are never both open: if neither stops strangers as it is written,
    /// `smtpd_relay_restrictions` is that of `compatibility_level` 1.
    pub fn restrictions(&self, name: &str) -> Arc<[Restriction]> {
        debug_assert!(table::parameter(name).is_some_and(|parameter| parameter.kind == Kind::Restrictions), "{name} is no list of restrictions");
        self.restrictions.get(name).cloned().unwrap_or_default()
    }

    /// The lists of `smtpd_restriction_classes` by their names.
    pub fn restriction_classes(&self) -> &BTreeMap<String, Arc<[Restriction]>> {
        &self.classes
    }

    pub(crate) fn is_open_as_written(&self) -> bool {
        self.open_as_written
    }

    /// True if `service` is to be started.
    pub fn serves(&self, service: &str) -> bool {
        self.list("services").iter().any(|name| name == service)
    }

    /// Where `service` listens; empty if it is off or listens nowhere.
    pub fn listens(&self, service: &str) -> &[Listen] {
        self.listens.get(service).map_or(&[], Vec::as_slice)
    }

    /// Expands every supported parameter and sees that it has the form of its kind.
    fn fill(&mut self, raw: &Raw, outside: &Outside<'_>, problems: &mut Vec<Problem>) {
        for parameter in table::parameters().filter(|parameter| parameter.support.is_read()) {
            let name = parameter.name;
            let mut text = match raw.expanded(name) {
                _ if RAW.contains(&name) => raw.set(name).unwrap_or(parameter.default).to_owned(),
                Ok(expanded) => {
                    check::undefined(raw, name, &expanded.undefined, problems);
                    crate::source::squeeze(&expanded.text)
                }
                Err(error) => {
                    problems.push(check::placed(raw, name, Problem::new(Severity::Error, "macro", name, error.to_string())));
                    continue;
                }
            };
            if name == "myorigin" && text.starts_with('/') {
                match (outside.read)(Path::new(&text)) {
                    Ok(content) => text = content.lines().next().unwrap_or("").trim_ascii().to_owned(),
                    Err(error) => problems.push(check::unreadable(raw, name, &text, &error)),
                }
            }
            if let Err(what) = check::kind(parameter.kind, &text) {
                let problem = Problem::new(Severity::Error, "bad-value", name, what).fix(check::remedy(raw, parameter));
                problems.push(check::placed(raw, name, problem));
            }
            check::slips(raw, name, &text, problems);
            self.values.insert(name, text);
        }
        self.take_certificate_of_postfix(raw);
    }

    /// A main.cf of Postfix names its certificate by `smtpd_tls_cert_file`; here one is for all services.
    fn take_certificate_of_postfix(&mut self, raw: &Raw) {
        let given = |name: &str| self.values.get(name).cloned().filter(|file| !file.is_empty() && file != "none");
        if raw.set("tls_cert_file").is_some() {
            return;
        }
        if let (Some(cert), Some(key)) = (given("smtpd_tls_cert_file"), given("smtpd_tls_key_file")) {
            self.values.insert("tls_cert_file", cert);
            self.values.insert("tls_key_file", key);
        }
    }

    /// Reads what has a structure of its own.
    fn understand(&mut self, raw: &Raw, outside: &Outside<'_>, problems: &mut Vec<Problem>) {
        let mut library = Library::new(outside.read);
        self.open_tables(raw, &mut library, problems);
        let mut complain = |name: &str, what: String| {
            problems.push(check::placed(raw, name, Problem::new(Severity::Error, "bad-value", name, what)));
        };
        match self.read_domains("mydestination", &mut library) {
            Ok(domains) => self.mydestination = domains,
            Err(what) => complain("mydestination", what),
        }
        match self.read_domains("relay_domains", &mut library) {
            Ok(domains) => self.relay_domains = domains,
            Err(what) => complain("relay_domains", what),
        }
        for name in NAME_LISTS {
            match self.read_domains(name, &mut library) {
                Ok(domains) => drop(self.lists.insert(name, domains)),
                Err(what) => complain(name, what),
            }
        }
        match self.elements("mynetworks", &library).and_then(|all| Networks::parse(&all, |spec| open(&mut library, spec))) {
            Ok(networks) => self.mynetworks = networks,
            Err(what) => complain("mynetworks", what),
        }
        match self.elements("smtpd_client_event_limit_exceptions", &library).and_then(|all| Networks::parse(&all, |spec| open(&mut library, spec))) {
            Ok(networks) => self.unlimited = networks,
            // by default it is mynetworks, of which the same was said
            Err(what) if raw.set("smtpd_client_event_limit_exceptions").is_some() => complain("smtpd_client_event_limit_exceptions", what),
            Err(_) => {}
        }
        self.read_restrictions(raw, &mut library, problems);
        let mut complain = |name: &str, what: String| {
            problems.push(check::placed(raw, name, Problem::new(Severity::Error, "bad-value", name, what)));
        };
        for service in table::BUILT_SERVICES {
            let name = format!("{service}_listen");
            if !self.serves(service) || table::parameter(&name).is_none() {
                continue;
            }
            match self.read_listens(service, &name, outside) {
                Ok(listens) => drop(self.listens.insert(service, listens)),
                Err(what) => complain(&name, what),
            }
        }
        problems.append(&mut library.problems);
    }

    /// Opens every table that a parameter names. One that only a default names need not be there.
    fn open_tables(&mut self, raw: &Raw, library: &mut Library<'_>, problems: &mut Vec<Problem>) {
        let aliases = self.list("alias_maps");
        for parameter in table::parameters().filter(|parameter| parameter.support.is_read() && parameter.kind == Kind::Maps) {
            let name = parameter.name;
            let mut tables = Vec::new();
            for spec in self.list(name).iter().filter(|spec| !is_accounts(spec)) {
                // what is an alias file for alias_maps is one wherever it is named
                let table = if aliases.contains(spec) { library.open_aliases(spec) } else { library.open(spec) };
                match table {
                    Ok(table) => tables.push(table),
                    Err(_) if raw.set(name).is_none() => {}
                    Err(error) => problems.push(check::unopened(raw, name, &error)),
                }
            }
            self.maps.insert(name, Maps::new(tables));
        }
    }

    fn read_restrictions(&mut self, raw: &Raw, library: &mut Library<'_>, problems: &mut Vec<Problem>) {
        let classes = self.list("smtpd_restriction_classes");
        let class = |name: &str| {
            let known = classes.iter().any(|class| class == name);
            known.then(|| Class::Written(raw.expanded(name).map(|expanded| crate::source::squeeze(&expanded.text)).unwrap_or_default()))
        };
        for parameter in table::parameters().filter(|parameter| parameter.kind == Kind::Restrictions) {
            let name = parameter.name;
            let default = DEFAULT_TABLES.iter().find(|(list, _)| *list == name).map(|(_, subject)| *subject);
            let read = Reader { class: &class, open: &mut |spec| open(library, spec) }.list(self.text(name), default);
            match read {
                Ok(list) => drop(self.restrictions.insert(name, list.into())),
                Err(bad) => {
                    let problem = Problem::new(Severity::Error, "bad-value", name, bad.to_string()).fix(check::list_remedy(&bad));
                    problems.push(check::placed(raw, name, problem));
                }
            }
        }
        for name in &classes {
            match (Reader { class: &class, open: &mut |spec| open(library, spec) }.list(name, None)) {
                Ok(list) => drop(self.classes.insert(name.clone(), list.into())),
                Err(bad) => problems.push(check::placed(raw, name, Problem::new(Severity::Error, "bad-value", name, bad.to_string()).fix(check::list_remedy(&bad)))),
            }
        }
        let is_open = |name: &str| restrictions::is_open(&self.restrictions(name));
        self.open_as_written = is_open("smtpd_relay_restrictions") && is_open("smtpd_recipient_restrictions");
        if self.open_as_written {
            let safe = vec![Restriction::PermitMynetworks, Restriction::PermitSaslAuthenticated, Restriction::DeferUnauthDestination];
            self.restrictions.insert("smtpd_relay_restrictions", safe.into());
        }
    }

    fn read_domains(&self, name: &str, library: &mut Library<'_>) -> Result<Domains, String> {
        let subdomains = self.matches_subdomains(name);
        let all = self.elements(name, library)?;
        Domains::new(&all, subdomains, |spec| open(library, spec))
    }

    fn read_listens(&self, service: &str, name: &str, outside: &Outside<'_>) -> Result<Vec<Listen>, String> {
        let protocols = self.list("inet_protocols");
        let speaks = |family: &str| protocols.iter().any(|p| p == family || p == "all");
        let interfaces = self.list("inet_interfaces");
        let ground = Ground {
            service,
            interfaces: &interfaces,
            ipv4: speaks("ipv4"),
            ipv6: speaks("ipv6"),
            port_offset: u16::try_from(self.int("port_offset")).unwrap_or_default(),
            machine: &outside.machine,
            resolve: outside.resolve,
        };
        listen::parse(&self.list(name), &ground)
    }

    /// The elements of a list, those of files it names in their place.
    fn elements(&self, name: &str, library: &Library<'_>) -> Result<Vec<String>, String> {
        let mut all = Vec::new();
        for element in value::list(self.text(name))? {
            if element.starts_with('/') {
                let text = library.text(Path::new(&element)).map_err(|error| format!("{element}: {error}"))?;
                let lines = text.lines().filter(|line| !line.trim_ascii_start().starts_with('#'));
                all.extend(value::list(&lines.collect::<Vec<_>>().join(" "))?);
            } else {
                all.push(element);
            }
        }
        Ok(all)
    }
}

fn open(library: &mut Library<'_>, spec: &str) -> Result<Arc<Table>, String> {
    library.open(spec).map_err(|error| error.to_string())
}

fn is_accounts(spec: &str) -> bool {
    spec.strip_prefix("proxy:").unwrap_or(spec) == ACCOUNTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn config(text: &str) -> Result<Config, Vec<Problem>> {
        let read = |path: &Path| match path.to_str() {
            Some("/etc/mailname") => Ok("example.test\nmore\n".to_owned()),
            Some("/etc/domains") => Ok("# ours\none.test two.test\nthree.test\n".to_owned()),
            _ => Err("no such file".to_owned()),
        };
        let outside = Outside { machine: Machine::loopback("mail"), read: &read, resolve: &|_| Vec::new() };
        Config::new(Path::new("/etc/posthouse"), text, &outside)
    }

    #[test]
    fn an_empty_file_is_a_sound_configuration() {
        let config = config("").unwrap();
        assert_eq!(config.hostname(), "mail.localdomain");
        assert_eq!(config.text("smtpd_banner"), "mail.localdomain ESMTP Posthouse");
        assert_eq!(config.size("message_size_limit"), 10_240_000);
        assert_eq!(config.time("smtpd_timeout"), Duration::from_secs(300));
        assert_eq!(config.time("maximal_queue_lifetime"), Duration::from_secs(432_000));
        assert_eq!(config.count("smtpd_recipient_limit"), 1000);
        assert!(!config.bool("soft_bounce"));
        assert_eq!(config.path("tls_cert_file"), Some("/etc/posthouse/certs/server.pem".into()));
        assert_eq!(config.text("database_url"), "sqlite:/var/lib/posthouse/posthouse.db");
        assert_eq!(config.listens("lmtp"), [Listen::Unix("/var/lib/posthouse/run/lmtp".into())]);
        assert_eq!(config.listens("smtp").iter().map(Listen::to_string).collect::<Vec<_>>(), ["0.0.0.0:25", "[::]:25"]);
        assert!(config.mydestination().contains("localhost"));
        assert!(config.mynetworks().contains("127.0.0.1".parse().unwrap()));
        assert!(config.serves("imap") && !config.serves("sieve"));
    }

    #[test]
    fn files_named_in_values_are_read() {
        let config = config("myorigin = /etc/mailname\nmydestination = a.test, /etc/domains\n").unwrap();
        assert_eq!(config.text("myorigin"), "example.test");
        let names: Vec<_> = config.mydestination().names().collect();
        assert_eq!(names, ["a.test", "one.test", "two.test", "three.test"]);
        assert!(self::config("mydestination = /nowhere\n").is_err());
    }

    #[test]
    fn services_and_ports_move() {
        let config = config("inet_interfaces = loopback-only\ninet_protocols = ipv4\nport_offset = 20000\nservices = smtp imaps\nimaps_listen = 127.0.0.1:0\n");
        let config = config.unwrap();
        assert_eq!(config.listens("smtp").iter().map(Listen::to_string).collect::<Vec<_>>(), ["127.0.0.1:20025"]);
        assert_eq!(config.listens("imaps").iter().map(Listen::to_string).collect::<Vec<_>>(), ["127.0.0.1:0"]);
        assert!(config.listens("imap").is_empty());
    }

    #[test]
    fn a_certificate_of_postfix_is_ours() {
        let config = config("smtpd_tls_cert_file = /etc/ssl/mail.pem").unwrap();
        assert_eq!((config.text("tls_cert_file"), config.text("tls_key_file")), ("/etc/ssl/mail.pem", "/etc/ssl/mail.pem"));
        let config = self::config("smtpd_tls_cert_file = /etc/ssl/mail.pem\nsmtpd_tls_key_file = /etc/ssl/mail.key").unwrap();
        assert_eq!(config.text("tls_key_file"), "/etc/ssl/mail.key");
        let config = self::config("smtpd_tls_cert_file = /etc/ssl/mail.pem\ntls_cert_file = own.pem\ntls_key_file = own.key").unwrap();
        assert_eq!((config.text("tls_cert_file"), config.text("tls_key_file")), ("own.pem", "own.key"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever is set to whatever: it is refused with a reason, or all of its getters work and it is no open relay.
        #[test]
        fn any_text_is_refused_or_sound(picks in proptest::collection::vec((0usize..1000, 0usize..16), 0..8), noise in "[a-z$={}, \n#]{0,20}") {
            const VALUES: [&str; 16] = ["", "yes", "no", "5", "-1", "99999999999999999999", "5d", "all", "127.0.0.1", "permit", "$mydomain",
                "${x?{a}:{b}}", "${", "a, {b", "0.0.0.0/0", "/etc/domains"];
            let names: Vec<_> = table::parameters().map(|parameter| parameter.name).collect();
            let lines = picks.iter().map(|(name, value)| format!("{} = {}\n", names[name % names.len()], VALUES[*value]));
            let text = lines.collect::<String>() + &noise;
            match config(&text) {
                Err(problems) => prop_assert!(problems.iter().any(|problem| problem.is_error() && !problem.text.is_empty())),
                Ok(config) => {
                    let open = |name| restrictions::is_open(&config.restrictions(name));
                    prop_assert!(!open("smtpd_relay_restrictions") || !open("smtpd_recipient_restrictions"));
                    for parameter in table::parameters().filter(|parameter| parameter.support.is_read()) {
                        prop_assert!(check::kind(parameter.kind, config.text(parameter.name)).is_ok());
                    }
                }
            }
        }
    }

    #[test]
    fn no_configuration_is_an_open_relay() {
        for text in ["", "compatibility_level = 3.7", "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks"] {
            if let Ok(config) = config(text) {
                assert!(!restrictions::is_open(&config.restrictions("smtpd_relay_restrictions")), "{text}");
            }
        }
        let closed = config("smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination");
        assert!(closed.unwrap().restrictions("smtpd_relay_restrictions").is_empty());
    }
}
