//! What a service's sessions have in common.

use config::Config;
use config::networks::Networks;
use std::time::Duration;

use crate::access::Rules;
use crate::anvil;

/// Whom a service is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `smtp`: everybody brings us mail for our own users.
    Relay,
    /// `lmtp`: a program in front of us hands over mail for our own users, one reply each (RFC 2033). Nothing is passed on.
    Lmtp,
    /// `submission`, `submissions`: our own users, once logged in, send to everybody (RFC 6409).
    Submission,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub role: Role,
    /// TLS comes before the greeting (465).
    pub implicit_tls: bool,
    /// Names, what is offered, limits. Whether AUTH is offered is the role's to say.
    pub smtp: smtp::Settings,
    /// The greeting after 220, beginning with the host's name (`smtpd_banner`).
    pub banner: String,
    /// `mail_name`, for `Received:`.
    pub software: String,
    /// Clients on this machine may send a password without TLS (`plaintext_auth = loopback`).
    pub plaintext_auth: auth::PlaintextAuth,
    /// Clients that are trusted (`mynetworks`).
    pub mynetworks: Networks,
    /// `smtpd_…_restrictions`
    pub rules: Rules,
    /// `smtpd_client_…_limit`
    pub clients: anvil::Limits,
    /// What bounds the plan of a message.
    pub plan: mda::Limits,
    /// A message that went through more servers goes in a circle (`hopcount_limit`).
    pub hops: usize,
    /// `Received:` tells about TLS (`smtpd_tls_received_header`).
    pub tls_in_received: bool,
    /// `Received:` tells who logged in (`smtpd_sasl_authenticated_header`).
    pub login_in_received: bool,
    /// Octets of a header that are looked at and completed (`header_size_limit`).
    pub header: usize,
    /// AUTH on port 25 as well (`smtpd_sasl_auth_enable`).
    pub auth_on_relay: bool,
    /// Every refusal is a temporary one (`soft_bounce`): for the first days of a new configuration.
    pub soft_bounce: bool,
    /// Refusals before each further answer waits (`smtpd_soft_error_limit`, `smtpd_error_sleep_time`).
    pub soft_errors: u32,
    pub error_sleep: Duration,
}

impl Settings {
    /// Postfix's defaults for `host`.
    pub fn new(role: Role, host: &str) -> Settings {
        Settings {
            role,
            implicit_tls: false,
            smtp: smtp::Settings::new(host),
            banner: format!("{host} ESMTP Posthouse"),
            software: "Posthouse".into(),
            plaintext_auth: auth::PlaintextAuth::No,
            mynetworks: Networks::default(),
            rules: Rules::default(),
            clients: anvil::Limits::default(),
            plan: mda::Limits::default(),
            hops: 50,
            tls_in_received: false,
            login_in_received: false,
            header: crate::head::HELD,
            auth_on_relay: false,
            soft_bounce: false,
            soft_errors: 10,
            error_sleep: Duration::from_secs(1),
        }
    }

    /// What `config` says for a service; `tls` tells whether there is a certificate.
    pub fn of(config: &Config, role: Role, implicit_tls: bool, tls: bool) -> Settings {
        let millis = |name| i64::try_from(config.time(name).as_millis()).unwrap_or(i64::MAX);
        let backoff = queue::Backoff {
            minimal: millis("minimal_backoff_time"),
            maximal: millis("maximal_backoff_time"),
            lifetime: millis("maximal_queue_lifetime"),
            bounce_lifetime: millis("bounce_queue_lifetime"),
        };
        Settings {
            implicit_tls,
            smtp: language(config, implicit_tls, tls),
            banner: config.text("smtpd_banner").to_owned(),
            software: config.text("mail_name").to_owned(),
            plaintext_auth: config.text("plaintext_auth").parse().unwrap_or_default(),
            mynetworks: config.mynetworks().clone(),
            rules: if role == Role::Relay { Rules::of(config) } else { Rules::of(config).for_submission() },
            clients: anvil::Limits::of(config),
            plan: mda::Limits { direct_recipients: config.count("direct_recipient_limit"), backoff },
            hops: config.count("hopcount_limit"),
            tls_in_received: config.bool("smtpd_tls_received_header"),
            login_in_received: config.bool("smtpd_sasl_authenticated_header"),
            header: usize::try_from(config.size("header_size_limit")).unwrap_or(usize::MAX),
            auth_on_relay: config.bool("smtpd_sasl_auth_enable"),
            soft_bounce: config.bool("soft_bounce"),
            soft_errors: u32::try_from(config.int("smtpd_soft_error_limit")).unwrap_or(u32::MAX),
            error_sleep: config.time("smtpd_error_sleep_time"),
            ..Settings::new(role, config.hostname())
        }
    }
}

fn language(config: &Config, implicit_tls: bool, tls: bool) -> smtp::Settings {
    let level = config.text("smtpd_tls_security_level");
    let discarded: Vec<String> = config.list("smtpd_discard_ehlo_keywords").iter().map(|word| word.to_ascii_uppercase()).collect();
    let is_discarded = |keyword: &str| discarded.iter().any(|word| word == keyword);
    let number = |name| u32::try_from(config.int(name)).unwrap_or(u32::MAX);
    smtp::Settings {
        origin: config.text("myorigin").to_owned(),
        starttls: tls && !implicit_tls && level != "none" && !is_discarded("STARTTLS"),
        dsn_disabled: is_discarded("DSN"),
        tls_required: level == "encrypt",
        hello_required: config.bool("smtpd_helo_required"),
        strict_envelopes: config.bool("strict_rfc821_envelopes"),
        vrfy_disabled: config.bool("disable_vrfy_command"),
        discarded,
        limits: smtp::Limits {
            command: config.count("line_length_limit"),
            message: config.limit("message_size_limit"),
            recipients: config.count("smtpd_recipient_limit"),
            errors: number("smtpd_hard_error_limit"),
            junk: number("smtpd_junk_command_limit"),
            command_time: config.time("smtpd_timeout"),
            ..smtp::Limits::default()
        },
        ..smtp::Settings::new(config.hostname())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Outside;
    use std::path::Path;

    fn settings(text: &str, tls: bool) -> Settings {
        let text = format!("myhostname = mail.example.test\nmyorigin = $mydomain\n{text}");
        let config = Config::new(Path::new("/c"), &text, &Outside::nothing("vm")).expect("sound");
        Settings::of(&config, Role::Relay, false, tls)
    }

    #[test]
    fn defaults_are_those_of_main_cf() {
        let (of, new) = (settings("", false), Settings::new(Role::Relay, "mail.example.test"));
        assert_eq!((&of.banner, &of.software, of.hops, of.header), (&new.banner, &new.software, new.hops, new.header));
        assert_eq!(format!("{:?}", of.smtp.limits), format!("{:?}", new.smtp.limits));
        assert_eq!(format!("{:?}", of.plan), format!("{:?}", new.plan));
        assert_eq!((of.smtp.host.as_str(), of.smtp.origin.as_str()), ("mail.example.test", "example.test"));
    }

    #[test]
    fn tls_is_offered_where_there_is_a_certificate_and_demanded_when_told() {
        for (text, tls, starttls, required) in [
            ("", false, false, false),
            ("", true, true, false),
            ("smtpd_tls_security_level = none", true, false, false),
            ("smtpd_tls_security_level = may", true, true, false),
            ("smtpd_tls_security_level = encrypt", true, true, true),
        ] {
            let smtp = settings(text, tls).smtp;
            assert_eq!((smtp.starttls, smtp.tls_required), (starttls, required), "{text} {tls}");
        }
    }
}
