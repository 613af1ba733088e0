//! Logins of ours at other servers (`smtp_sasl_…`): to whom which, and by what mechanism.

use config::Config;
use config::maps::Maps;
use sasl::Mechanism;

use crate::resolve::Host;

/// The logins that there are.
#[derive(Clone, Debug, Default)]
pub struct Logins {
    /// Name and password by server or next hop; a `Maps` never prints what it holds.
    by_host: Maps,
    /// Passwords may be sent as they are: in clear, and under TLS.
    plain: (bool, bool),
}

impl Logins {
    /// What `config` says; none unless `smtp_sasl_auth_enable`.
    pub fn of(config: &Config) -> Logins {
        if !config.bool("smtp_sasl_auth_enable") {
            return Logins::default();
        }
        let allows = |name| !config.list(name).iter().any(|option| option.eq_ignore_ascii_case("noplaintext"));
        Logins {
            by_host: config.maps("smtp_sasl_password_maps"),
            plain: (allows("smtp_sasl_security_options"), allows("smtp_sasl_tls_security_options")),
        }
    }

    /// Name and password for a host: by its name, else by the hop that led to it.
    pub(crate) fn at(&self, host: &Host) -> Option<(String, String)> {
        let value = self.by_host.get(&host.name).or_else(|| self.by_host.get(&host.hop))?;
        let (name, password) = value.trim().split_once(':')?;
        Some((name.to_owned(), password.to_owned()))
    }

    /// The best of what the server offers that may be used here.
    pub(crate) fn mechanism(&self, offered: &[String], secured: bool) -> Option<Mechanism> {
        let plain = if secured { self.plain.1 } else { self.plain.0 };
        let allowed = |mechanism: &Mechanism| match mechanism {
            Mechanism::Scram => true,
            Mechanism::ScramPlus => false,
            Mechanism::Plain | Mechanism::Login => plain,
        };
        let is_offered = |mechanism: &Mechanism| offered.iter().any(|name| name == mechanism.name());
        Mechanism::ALL.into_iter().find(|mechanism| allowed(mechanism) && is_offered(mechanism))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Outside;
    use std::path::Path;

    fn logins(text: &str) -> Logins {
        let read = |path: &Path| if path == Path::new("/p") { Ok("[smtp.isp.test]:587 me:a:word\nmx.test you:other\nbad nothing\n".to_owned()) } else { Err("no such file".to_owned()) };
        let text = format!("myhostname = mail.example.test\nsmtp_sasl_password_maps = texthash:/p\n{text}");
        Logins::of(&Config::new(Path::new("/c"), &text, &Outside { read: &read, ..Outside::nothing("vm") }).expect("sound"))
    }

    fn host(name: &str, hop: &str) -> Host {
        Host { name: name.into(), hop: hop.into(), address: "192.0.2.1:587".parse().expect("an address") }
    }

    #[test]
    fn a_login_is_for_its_server_only() {
        let on = logins("smtp_sasl_auth_enable = yes");
        assert_eq!(on.at(&host("smtp.isp.test", "[smtp.isp.test]:587")), Some(("me".into(), "a:word".into())));
        assert_eq!(on.at(&host("mx.test", "other.test")), Some(("you".into(), "other".into())));
        for (name, hop) in [("smtp.isp.test", "[smtp.isp.test]"), ("a.test", "mx2.test"), ("bad", "bad")] {
            assert_eq!(on.at(&host(name, hop)), None, "{name} {hop}");
        }
        assert_eq!(logins("").at(&host("mx.test", "mx.test")), None, "smtp_sasl_auth_enable is off");
        assert!(!format!("{on:?}").contains("word"), "{on:?}");
    }

    #[test]
    fn passwords_are_sent_as_they_are_only_where_that_is_allowed() {
        let offered: Vec<String> = ["PLAIN", "LOGIN", "CRAM-MD5"].map(str::to_owned).into();
        let all: Vec<String> = [&offered[..], &["SCRAM-SHA-256".to_owned()]].concat();
        let usual = logins("smtp_sasl_auth_enable = yes");
        assert_eq!((usual.mechanism(&offered, true), usual.mechanism(&all, false)), (None, Some(Mechanism::Scram)));
        let under_tls = logins("smtp_sasl_auth_enable = yes\nsmtp_sasl_tls_security_options = noanonymous");
        assert_eq!((under_tls.mechanism(&offered, true), under_tls.mechanism(&offered, false)), (Some(Mechanism::Plain), None));
        assert_eq!(logins("smtp_sasl_auth_enable = yes\nsmtp_sasl_security_options =").mechanism(&offered, false), Some(Mechanism::Plain));
    }
}
