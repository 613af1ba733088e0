//! Findings: what is written but means nothing, means something else, or must not be.

use crate::config::Config;
use crate::expand::{self, Names};
use crate::level::Level;
use crate::maps::TableError;
use crate::problem::{Problem, Severity};
use crate::raw::Raw;
use crate::restrictions::{self, BadList};
use crate::slip;
use crate::table::{self, Kind, Parameter, Support};
use crate::value;
use std::collections::BTreeSet;

/// Sees that an expanded value has the form of its kind; says what is wrong otherwise.
pub(crate) fn kind(kind: Kind, text: &str) -> Result<(), String> {
    let one_of = |text: &str, words: &[&str]| {
        let known = words.contains(&text);
        if known { Ok(()) } else { Err(format!("\"{text}\" is not one of: {}", words.join(", "))) }
    };
    match kind {
        Kind::Text => Ok(()),
        Kind::Bool => value::boolean(text).map(drop),
        Kind::Int(min, max) => value::integer(text, min, max).map(drop),
        Kind::Time(unit) => value::time(text, unit).map(drop),
        Kind::Size => value::size(text).map(drop),
        Kind::List | Kind::Maps | Kind::Networks | Kind::Listen | Kind::Restrictions => value::list(text).map(drop),
        Kind::Choice(words) => one_of(text, words),
        Kind::Names(words) => value::list(text)?.iter().try_for_each(|name| one_of(name, words)),
        Kind::Level => Level::parse(text).map(drop).ok_or_else(|| format!("\"{text}\" is not a level such as 3.7")),
    }
}

/// What to do about a value that has not the form of its kind; empty where the finding itself tells what it may be.
pub(crate) fn remedy(raw: &Raw, parameter: &Parameter) -> String {
    match parameter.kind {
        Kind::Bool | Kind::Int(..) | Kind::Size | Kind::Time(_) | Kind::Level => {
            let default = raw.default(parameter.name).and_then(|default| Some(expand::expand(&default, raw).ok()?.text)).unwrap_or_default();
            if default.is_empty() { default } else { format!("the default is {default}") }
        }
        _ => String::new(),
    }
}

/// What to do about a list of restrictions that can't be read.
pub(crate) fn list_remedy(bad: &BadList) -> String {
    let BadList::Unknown(word) = bad else { return String::new() };
    let known = restrictions::WORDS.iter().map(|(word, _)| *word).chain(restrictions::TAKING);
    match nearest(word, known) {
        Some(near) => format!("did you mean {near}?"),
        None => "remove it if mail may pass without this restriction".to_owned(),
    }
}

/// Puts a finding about `name` where it stands in the file.
pub(crate) fn placed(raw: &Raw, name: &str, problem: Problem) -> Problem {
    match raw.line(name) {
        Some(line) => problem.at(raw.source.file.clone(), line),
        None => problem,
    }
}

/// A table that can't be opened.
pub(crate) fn unopened(raw: &Raw, name: &str, error: &TableError) -> Problem {
    let fix = match error {
        TableError::Open { .. } => "see that it is there and may be read",
        TableError::Unsupported(_) => "the types of postconf -m can be read",
        TableError::Syntax(..) | TableError::Needs(_) => "",
    };
    placed(raw, name, Problem::new(Severity::Error, "table", name, error.to_string()).fix(fix))
}

pub(crate) fn unreadable(raw: &Raw, name: &str, file: &str, error: &str) -> Problem {
    placed(raw, name, Problem::new(Severity::Error, "file", name, format!("{file}: {error}")))
}

/// A default that can't be expanded fails because of something that was set: if that is told, one finding is enough.
pub(crate) fn drop_consequences(problems: &mut Vec<Problem>) {
    if problems.iter().any(|problem| problem.is_error() && problem.line.is_some()) {
        problems.retain(|problem| problem.code != "macro" || problem.line.is_some());
    }
}

/// References to names without a value; mostly slips of the pen.
pub(crate) fn undefined(raw: &Raw, name: &str, undefined: &[String], problems: &mut Vec<Problem>) {
    if raw.line(name).is_none() {
        return;
    }
    for other in undefined {
        let problem = Problem::new(Severity::Warning, "undefined", name, format!("undefined parameter: {other}"));
        problems.push(placed(raw, name, problem.fix(slip::misspelt(other).unwrap_or_default())));
    }
}

/// What looks as if a shell had eaten a variable: an error where the value can't be empty, else a warning.
pub(crate) fn slips(raw: &Raw, name: &str, expanded: &str, problems: &mut Vec<Problem>) {
    let Some(written) = raw.set(name) else { return };
    let eaten = slip::eaten(name, written);
    let problem = match (slip::must_not_be_empty(name, expanded), &eaten) {
        (Some(what), _) => Problem::new(Severity::Error, "bad-value", name, what),
        (None, Some(_)) => Problem::new(Severity::Warning, "eaten", name, format!("\"{written}\" has a hole")),
        (None, None) => return,
    };
    problems.push(placed(raw, name, problem.fix(eaten.unwrap_or_default())));
}

/// Everything set that is not supported or not known.
pub(crate) fn names(raw: &Raw, problems: &mut Vec<Problem>) {
    let used = used_names(raw);
    for entry in &raw.source.entries {
        let problem = match table::parameter(&entry.name) {
            Some(parameter) => match unsupported(raw, parameter, &entry.name) {
                Some(problem) => problem,
                None => continue,
            },
            None if used.contains(&entry.name) || table::LEGACY.contains(&entry.name.as_str()) => continue,
            None => unknown(&entry.name),
        };
        problems.push(problem.at(raw.source.file.clone(), entry.line));
    }
}

fn unsupported(raw: &Raw, parameter: &table::Parameter, name: &str) -> Option<Problem> {
    let value = expand::expand(&raw.value(name).unwrap_or_default(), raw).map(|e| e.text).unwrap_or_default();
    let default = expand::expand(&raw.default(name).unwrap_or_default(), raw).map(|e| e.text).unwrap_or_default();
    let as_default = value == default;
    match parameter.support {
        Support::Yes => None,
        // 0 is "none" wherever it is a limit, and what is not built limits nothing.
        Support::Later(_) if as_default || value == "0" => None,
        Support::Later(why) => Some(Problem::new(Severity::Warning, "unsupported", name, format!("has no effect yet: {why}"))),
        Support::Needless(why) => Some(Problem::new(Severity::Note, "needless", name, format!("has no effect here: {why}"))),
        Support::No(_) if as_default => Some(same_as_default(name)),
        Support::No(advice) => {
            Some(Problem::new(Severity::Warning, "unsupported", name, "is not supported and has no effect").fix(advice))
        }
        Support::Restricts(harmless) => {
            let value = crate::source::squeeze(&value);
            let same = |text: &str| expand::expand(text, raw).is_ok_and(|e| e.text.eq_ignore_ascii_case(&value));
            if value.is_empty() || as_default || harmless.iter().any(|text| same(text)) {
                return Some(same_as_default(name));
            }
            let text = "restricts access or refuses mail, and is not supported";
            Some(Problem::new(Severity::Error, "unsupported", name, text).fix("remove it if mail may pass without this restriction"))
        }
    }
}

fn same_as_default(name: &str) -> Problem {
    Problem::new(Severity::Note, "needless", name, "is not supported; as written it would change nothing")
}

fn unknown(name: &str) -> Problem {
    let problem = Problem::new(Severity::Warning, "unknown", name, "unknown parameter, and nothing refers to it");
    match near(name) {
        Some(near) => problem.fix(format!("did you mean {near}?")),
        None => problem,
    }
}

/// Names of the user's own that something in the file refers to, directly or through others of that kind.
/// Also the names of `smtpd_restriction_classes`, and `NAME_…` where a table is `mysql:NAME` or the like.
pub(crate) fn used_names(raw: &Raw) -> BTreeSet<String> {
    let mut used: BTreeSet<String> = BTreeSet::new();
    let set = raw.names_set();
    let is_parameter = |name: &&str| table::parameter(name).is_some() || table::LEGACY.contains(name);
    let mut look: Vec<String> = set.iter().filter(|name| is_parameter(name)).map(|name| (*name).to_owned()).collect();
    while let Some(name) = look.pop() {
        let value = raw.set(&name).unwrap_or_default();
        let mut found = expand::references(value);
        if name == "smtpd_restriction_classes" {
            found.extend(value::list(value).unwrap_or_default());
        }
        for prefix in table_prefixes(value) {
            found.extend(set.iter().filter(|name| name.starts_with(&prefix)).map(|name| (*name).to_owned()));
        }
        for name in found {
            if raw.set(&name).is_some() && used.insert(name.clone()) {
                look.push(name);
            }
        }
    }
    used
}

fn table_prefixes(value: &str) -> Vec<String> {
    let words = value.split(|c: char| c == ',' || c.is_ascii_whitespace());
    let prefix = |word: &str| {
        let word = word.strip_prefix("proxy:").unwrap_or(word);
        let (kind, name) = word.split_once(':')?;
        let database = ["ldap", "memcache", "mysql", "pgsql", "sqlite"].contains(&kind);
        (database && !name.is_empty() && !name.contains('/')).then(|| format!("{name}_"))
    };
    words.filter_map(prefix).collect()
}

/// What no single parameter shows.
pub(crate) fn sense(config: &Config, raw: &Raw, problems: &mut Vec<Problem>) {
    sizes(config, raw, problems);
    relaying(config, raw, problems);
    services(config, raw, problems);
    let mut add = |name: &str, problem: Problem| problems.push(placed(raw, name, problem));
    if !config.text("smtpd_banner").starts_with(config.hostname()) {
        let problem = Problem::new(Severity::Warning, "banner", "smtpd_banner", "does not start with the name of this machine (RFC 5321 §4.2)");
        add("smtpd_banner", problem.fix("let it start with $myhostname"));
    }
    for network in config.mynetworks().public() {
        let text = format!("every client in {network} may relay through this server");
        add("mynetworks", Problem::new(Severity::Warning, "wide-network", "mynetworks", text).fix("list private networks or single addresses"));
    }
    if config.text("plaintext_auth") == "loopback" {
        let text = "passwords are taken without TLS from this machine";
        add("plaintext_auth", Problem::new(Severity::Warning, "plaintext", "plaintext_auth", text).fix("use it for tests only"));
    }
    for domain in config.mydestination().names().filter(|domain| config.relay_domains().contains(domain)) {
        // At level < 2 relay_domains is $mydestination by default, as in Postfix: no contradiction of the user's.
        if raw.line("relay_domains").is_some() {
            let text = format!("{domain} is in mydestination and in relay_domains{}", also(raw, "mydestination"));
            add("relay_domains", Problem::new(Severity::Error, "two-classes", domain, text).fix("list it in one of them"));
        }
    }
    let aliased = config.domains("virtual_alias_domains");
    for domain in config.mydestination().names().filter(|domain| aliased.contains(domain)) {
        let text = format!("{domain} is in mydestination and in virtual_alias_domains{}", also(raw, "mydestination"));
        add("virtual_alias_domains", Problem::new(Severity::Error, "two-classes", domain, text).fix("list it in one of them"));
    }
    if config.mydestination().names().next().is_some() {
        let text = "means aliases and accounts of the directory; system users are not supported yet";
        add("mydestination", Problem::new(Severity::Note, "system-users", "mydestination", text));
    }
}

fn also(raw: &Raw, name: &str) -> String {
    raw.line(name).map_or_else(String::new, |line| format!(" ({name}: line {line})"))
}

fn sizes(config: &Config, raw: &Raw, problems: &mut Vec<Problem>) {
    let message = config.limit("message_size_limit").unwrap_or(u64::MAX);
    if config.limit("mailbox_size_limit").is_some_and(|mailbox| mailbox < message) {
        let name = if raw.line("message_size_limit").is_some() { "message_size_limit" } else { "mailbox_size_limit" };
        let problem = Problem::new(Severity::Error, "sizes", "mailbox_size_limit", "is smaller than message_size_limit");
        problems.push(placed(raw, name, problem.fix("raise mailbox_size_limit, or set it to 0 for no limit")));
    }
}

fn relaying(config: &Config, raw: &Raw, problems: &mut Vec<Problem>) {
    if !config.is_open_as_written() {
        return;
    }
    let set = ["smtpd_relay_restrictions", "smtpd_recipient_restrictions"].into_iter().find(|name| raw.line(name).is_some());
    let problem = match set {
        Some(name) => {
            let text = "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working instance of: \
                        reject_unauth_destination, defer_unauth_destination, reject, defer";
            placed(raw, name, Problem::new(Severity::Error, "open-relay", name, text).fix("end the list with reject_unauth_destination"))
        }
        None => {
            let text = "is empty at this compatibility_level; strangers' mail for other domains is deferred all the same";
            Problem::new(Severity::Note, "open-relay", "smtpd_relay_restrictions", text).fix("set compatibility_level = 3.7")
        }
    };
    problems.push(problem);
}

fn services(config: &Config, raw: &Raw, problems: &mut Vec<Problem>) {
    for service in config.list("services") {
        if !table::BUILT_SERVICES.contains(&service.as_str()) {
            let problem = Problem::new(Severity::Error, "unsupported", "services", format!("{service} is not built yet"));
            problems.push(placed(raw, "services", problem.fix("leave it out")));
        }
    }
}

/// The known name that `name` was probably meant to be.
pub(crate) fn near(name: &str) -> Option<&'static str> {
    nearest(name, table::parameters().map(|parameter| parameter.name))
}

/// The one of `known` that `word` was probably meant to be.
fn nearest(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    // A slip costs at most two letters; short names would match anything.
    let limit = if word.len() < 6 { 1 } else { 2 };
    known.map(|known| (distance(word, known, limit), known)).filter(|(distance, _)| *distance <= limit).min().map(|(_, known)| known)
}

/// Letters to insert, remove or replace; anything above `limit` may be reported as `limit + 1`.
fn distance(a: &str, b: &str, limit: usize) -> usize {
    if a.len().abs_diff(b.len()) > limit || a.len() > 100 {
        return limit + 1;
    }
    let b: Vec<u8> = b.bytes().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Outside;
    use std::path::Path;

    fn findings(text: &str) -> Vec<String> {
        let read = |path: &Path| if path == Path::new("/etc/aliases") { Ok("postmaster: root\n".to_owned()) } else { Err("no such file".to_owned()) };
        let problems = match Config::new(Path::new("/c"), text, &Outside { read: &read, ..Outside::nothing("mail.example.test") }) {
            Ok(config) => config.problems().to_vec(),
            Err(problems) => problems,
        };
        let all = problems.iter().filter(|p| p.code != "system-users" && !(p.code == "open-relay" && p.severity == Severity::Note));
        all.map(|p| format!("{} {p}", p.severity.as_str())).collect()
    }

    /// A broken sample for each message.
    #[test]
    fn each_mistake_gets_its_message() {
        let cases: [(&str, &[&str]); 32] = [
            ("mydomain = d.test\nmyorigin=", &["error /c/main.cf, line 2: myorigin: bad string length 0 < 1: myorigin =; did the shell eat $mydomain? use single quotes: postconf -e 'myorigin = $mydomain'"]),
            ("relayhost =\nmyorigin = $relayhost", &["error /c/main.cf, line 2: myorigin: bad string length 0 < 1: myorigin ="]),
            ("mydestination = ,localhost.,localhost", &["warning /c/main.cf, line 1: mydestination: \",localhost.,localhost\" has a hole; did the shell eat $myhostname and $mydomain? use single quotes"]),
            ("soft_bounce = maybe", &["error /c/main.cf, line 1: soft_bounce: \"maybe\" is neither yes nor no; the default is no"]),
            ("\nmessage_size_limit = abc", &["error /c/main.cf, line 2: message_size_limit: \"abc\" is not a number; the default is 10240000"]),
            ("smtpd_timeout = 5y", &["error /c/main.cf, line 1: smtpd_timeout: \"5y\": the unit of a time is one of s m h d w; the default is 300s"]),
            ("smtpd_recipient_limit = 0", &["error /c/main.cf, line 1: smtpd_recipient_limit: 0 is not between 1 and 1000000; the default is 1000"]),
            ("plaintext_auth = yes", &["error /c/main.cf, line 1: plaintext_auth: \"yes\" is not one of: no, loopback"]),
            ("compatibility_level = abc", &["error /c/main.cf, line 1: compatibility_level: \"abc\" is not a level such as 3.7; the default is 0"]),
            ("services = smtp nntp", &["error /c/main.cf, line 1: services: \"nntp\" is not one of: smtp, submission, submissions, lmtp, imap, imaps, pop3, pop3s, sieve, http, queue, upkeep"]),
            ("services = smtp sieve", &["error /c/main.cf, line 1: services: sieve is not built yet; leave it out"]),
            ("mynetworks = 192.0.2.1/24", &["error /c/main.cf, line 1: mynetworks: \"192.0.2.1/24\": non-null host address bits; write the first address of the network"]),
            ("mynetworks = 0.0.0.0/0", &["warning /c/main.cf, line 1: mynetworks: every client in 0.0.0.0/0 may relay through this server; list private networks or single addresses"]),
            ("smtp_listen = unix:x", &["error /c/main.cf, line 1: smtp_listen: \"unix:x\": the path must start with /"]),
            ("inet_interfaces = nosuch.example", &["error smtp_listen: host name \"nosuch.example\" has no address"]),
            ("message_size_limit = 60000000", &["error /c/main.cf, line 1: mailbox_size_limit: is smaller than message_size_limit; raise mailbox_size_limit, or set it to 0 for no limit"]),
            ("smtpd_banner = hello", &["warning /c/main.cf, line 1: smtpd_banner: does not start with the name of this machine (RFC 5321 §4.2); let it start with $myhostname"]),
            ("mydestination = $myhostname, localhost.$mydimain", &["warning /c/main.cf, line 1: mydestination: undefined parameter: mydimain; mydimain: did you mean mydomain?"]),
            ("mydestinations = a", &["warning /c/main.cf, line 1: mydestinations: unknown parameter, and nothing refers to it; did you mean mydestination?"]),
            ("mydomain = $myhostname\nmyhostname = $mydomain", &["error /c/main.cf, line 1: mydomain: unreasonable macro call nesting: \"myhostname\""]),
            ("biff = yes", &["note /c/main.cf, line 1: biff: has no effect here: nobody is told by comsat; IDLE tells at once"]),
            ("alias_maps = hash:/none", &["error /c/main.cf, line 1: alias_maps: open /none: no such file; see that it is there and may be read"]),
            ("transport_maps = ldap:x", &["error /c/main.cf, line 1: transport_maps: unsupported dictionary type: ldap; the types of postconf -m can be read"]),
            ("smtpd_client_restrictions = reject_rbl_client zen.example", &[]),
            ("smtpd_milters = inet:127.0.0.1:1", &["error /c/main.cf, line 1: smtpd_milters: restricts access or refuses mail, and is not supported; remove it if mail may pass without this restriction"]),
            ("smtpd_sender_restrictions = check_sender_ns_access hash:/x", &["error /c/main.cf, line 1: smtpd_sender_restrictions: \"check_sender_ns_access\" is not supported, and it may restrict access; remove it if mail may pass without this restriction"]),
            ("header_checks =", &["note /c/main.cf, line 1: header_checks: is not supported; as written it would change nothing"]),
            ("smtpd_recipient_restrictions = check_policy_service x", &["error /c/main.cf, line 1: smtpd_recipient_restrictions: check_policy_service x: need inet:host:port or unix:path"]),
            ("smtpd_recipient_restrictions = reject_unauth_destinaton", &["error /c/main.cf, line 1: smtpd_recipient_restrictions: \"reject_unauth_destinaton\" is not supported, and it may restrict access; did you mean reject_unauth_destination?"]),
            ("compatibility_level = 3.7\nsmtpd_relay_restrictions = permit_mynetworks", &["error /c/main.cf, line 2: smtpd_relay_restrictions: in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working instance of: reject_unauth_destination, defer_unauth_destination, reject, defer; end the list with reject_unauth_destination"]),
            ("mydestination = a.test\nvirtual_alias_domains = a.test", &["error /c/main.cf, line 2: a.test: a.test is in mydestination and in virtual_alias_domains (mydestination: line 1); list it in one of them"]),
            ("mydestination = a.test\nrelay_domains = a.test", &["error /c/main.cf, line 2: a.test: a.test is in mydestination and in relay_domains (mydestination: line 1); list it in one of them"]),
        ];
        for (text, want) in cases {
            let mut found = findings(text);
            if text.starts_with("mydomain = $myhostname") || text.starts_with("inet_interfaces") {
                found.truncate(1); // the loop and the name are met by many parameters
            }
            assert_eq!(found, want, "{text}");
        }
    }

    #[test]
    fn what_restricts_nothing_does_not_stop_the_start() {
        for text in ["smtpd_client_restrictions = permit", "smtp_tls_security_level = may", "smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3", "mime_header_checks = $header_checks", "authorized_submit_users = static:anyone"] {
            assert!(findings(text).iter().all(|f| f.starts_with("note")), "{text}: {:?}", findings(text));
        }
        for text in ["smtp_tls_security_level = dane", "smtpd_milters = inet:127.0.0.1:8891", "smtpd_tls_mandatory_protocols = >=TLSv1.3"] {
            assert!(findings(text).iter().any(|f| f.starts_with("error")), "{text}: {:?}", findings(text));
        }
    }

    #[test]
    fn the_file_of_the_course_and_the_file_of_debian_start() {
        let course = "inet_interfaces = all\nmyhostname = mail.linuxcast.net\nmydomain = linuxcast.net\n\
            mydestination = $myhostname,localhost.$mydomain,localhost\nmynetworks = 127.0.0.0/8\nmyorigin=$mydomain\nmasquerade_exceptions = root\n";
        assert_eq!(findings(course), Vec::<String>::new());
        let debian = "smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)\nbiff = no\nappend_dot_mydomain = no\nreadme_directory = no\n\
            compatibility_level = 3.6\nsmtpd_tls_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem\nsmtpd_tls_key_file=/etc/ssl/private/ssl-cert-snakeoil.key\n\
            smtpd_tls_security_level=may\nsmtp_tls_CApath=/etc/ssl/certs\nsmtp_tls_security_level=may\n\
            smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache\n\
            smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination\nmyhostname = mail.example.test\n\
            alias_maps = hash:/etc/aliases\nalias_database = hash:/etc/aliases\nmydestination = $myhostname, localhost\nrelayhost = \n\
            mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128\nmailbox_size_limit = 0\nrecipient_delimiter = +\ninet_interfaces = all\ninet_protocols = all\n";
        assert!(findings(debian).iter().all(|f| !f.starts_with("error")), "{:#?}", findings(debian));
    }

    #[test]
    fn the_sample_is_sound_and_all_of_its_comments_are_parameters() {
        let text = include_str!("../../../config/main.cf");
        assert_eq!(findings(text), Vec::<String>::new());
        // What is commented out must be worth uncommenting.
        let all: String = text.lines().map(|line| line.strip_prefix('#').filter(|l| l.contains(" =") && !l.starts_with(' ')).unwrap_or(line).to_owned() + "\n").collect();
        assert!(findings(&all).iter().all(|f| !f.starts_with("error") && !f.contains("unknown")), "{:#?}", findings(&all));
    }

    #[test]
    fn names_of_one_s_own_may_serve_others() {
        let text = "mybad=$foo_x\nfoo_x=1\nmyorigin=$mybad\nsmtpd_restriction_classes = foo_r\nfoo_r = permit\n\
            virtual_alias_maps = proxy:mysql:xx\nxx_user = 1\nunused = 2\n";
        let unknown: Vec<_> = findings(text).into_iter().filter(|f| f.contains("unknown")).collect();
        assert_eq!(unknown, ["warning /c/main.cf, line 8: unused: unknown parameter, and nothing refers to it"]);
    }
}
