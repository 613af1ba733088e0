//! Parameters that Postfix has not, and the few of its own whose default differs here.

use super::{Kind, Parameter, Support};

/// Every service there will be; `SERVICE_listen` exists for those that listen.
pub const KNOWN_SERVICES: [&str; 12] =
    ["smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s", "sieve", "http", "queue", "upkeep"];

/// Those that this build has; the default of `services`.
pub const BUILT_SERVICES: [&str; 10] =
    ["smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s", "queue", "upkeep"];

const fn p(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Parameter {
    Parameter { name, kind, default, support: Support::Yes, help }
}

/// Sorted by name.
pub(super) const PARAMETERS: &[Parameter] = &[
    p("config_directory", Kind::Text, "/etc/posthouse", "Where main.cf and certs/ are; given by -c or MAIL_CONFIG."),
    p("database_url", Kind::Text, "sqlite:$store_directory/posthouse.db", "The database: sqlite:FILE or postgres://…"),
    p("direct_recipient_limit", Kind::Int(0, 10_000), "50", "Local recipients delivered within the accepting commit; more go through the queue."),
    p("dns_servers", Kind::List, "", "Whom to ask for names: address, address:port; empty: those of /etc/resolv.conf."),
    p("http_listen", Kind::Listen, "$inet_interfaces", "Where http listens (80 and 443)."),
    p("imap_listen", Kind::Listen, "$inet_interfaces", "Where imap listens (143)."),
    p("imaps_listen", Kind::Listen, "$inet_interfaces", "Where imaps listens (993)."),
    p("lmtp_listen", Kind::Listen, "unix:$store_directory/run/lmtp", "Where lmtp listens."),
    p("mail_location", Kind::Text, "maildir:$store_directory/mail/%d/%n", "Where bodies lie: maildir:PATH, mbox:PATH or s3://bucket/prefix; %d is the domain, %n the user."),
    p("mail_name", Kind::Text, "Posthouse", "The name of this system in the banner, Received and delivery reports."),
    p("mail_owner", Kind::Text, "posthouse", "The user that everything but the privileged half runs as."),
    p("plaintext_auth", Kind::Choice(&["no", "loopback"]), "no", "loopback: passwords without TLS from this machine, for tests."),
    p("pop3_listen", Kind::Listen, "$inet_interfaces", "Where pop3 listens (110)."),
    p("pop3s_listen", Kind::Listen, "$inet_interfaces", "Where pop3s listens (995)."),
    p("port_offset", Kind::Int(0, 60_000), "0", "Added to the default ports: several instances on one host, tests without root."),
    p("postmaster", Kind::Text, "", "Who gets mail to postmaster@ and abuse@ of every domain; empty: the first account."),
    p("scram", Kind::Choice(&["auto", "on", "off"]), "auto", "Logins by SCRAM-SHA-256: auto offers it once every account has keys for it, on always; off makes no keys."),
    p("scram_plus", Kind::Bool, "no", "Offer SCRAM-SHA-256-PLUS, bound to the connection, over TLS 1.3; some mutt and neomutt choose it and can't do it."),
    p("services", Kind::Names(&KNOWN_SERVICES), "smtp, submission, submissions, lmtp, imap, imaps, pop3, pop3s, queue, upkeep", "What serve starts."),
    p("sieve_listen", Kind::Listen, "$inet_interfaces", "Where sieve listens (4190)."),
    p("smtp_listen", Kind::Listen, "$inet_interfaces", "Where smtp listens (25)."),
    p("stop_timeout", Kind::Time('s'), "30s", "How long a message being received may take after TERM."),
    p("store_directory", Kind::Text, "/var/lib/posthouse", "Database, mail, spool and run/."),
    p("submission_listen", Kind::Listen, "$inet_interfaces", "Where submission listens (587)."),
    p("submissions_listen", Kind::Listen, "$inet_interfaces", "Where submissions listens (465)."),
    p("tls_cert_file", Kind::Text, "$config_directory/certs/server.pem", "The default certificate of all services with its chain, PEM; if not set, smtpd_tls_cert_file if that is."),
    p("tls_key_file", Kind::Text, "$config_directory/certs/server.key", "The key of tls_cert_file, PEM; smtpd_tls_key_file where that certificate is taken."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_of_services_is_what_is_built() {
        let services = PARAMETERS.iter().find(|p| p.name == "services").unwrap();
        assert_eq!(services.default, BUILT_SERVICES.join(", "));
        assert!(BUILT_SERVICES.iter().all(|s| KNOWN_SERVICES.contains(s)));
    }
}
