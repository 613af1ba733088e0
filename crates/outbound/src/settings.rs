//! What sending takes from main.cf.

use std::net::SocketAddr;
use std::time::Duration;

use config::Config;
use config::listen::Listen;
use queue::Backoff;
use smtp::client::Timeouts;

use crate::hop::{Hop, port_of};
use crate::schedule::{Feedback, Limits};

/// Whether connections are encrypted (`smtp_tls_security_level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsLevel {
    /// Never.
    None,
    /// Where the other side offers it; whoever it is (RFC 7435).
    May,
    /// Always, whoever it is; mail waits where it is not offered.
    Encrypt,
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// What we call ourselves (`smtp_helo_name`).
    pub helo: String,
    /// `myhostname`: whoever calls itself that is us.
    pub hostname: String,
    /// Where addresses go.
    pub route: route::Settings,
    /// `smtp_tcp_port`
    pub port: u16,
    /// Where our own `smtp` service is reached: mail is not sent there.
    pub own: Vec<SocketAddr>,
    /// `dns_servers`; none: those of the system.
    pub dns_servers: Vec<SocketAddr>,
    /// `inet_protocols`
    pub ipv4: bool,
    pub ipv6: bool,
    pub tls: TlsLevel,
    pub logins: crate::Logins,
    /// `smtp_connect_timeout`
    pub connect: Duration,
    pub timeouts: Timeouts,
    /// How long a peer may take to take its output (`smtp_data_xfer_timeout`).
    pub transfer: Duration,
    /// Addresses of a hop that are tried, 0: all (`smtp_mx_address_limit`).
    pub address_limit: usize,
    /// Sessions that one attempt may need, 0: no limit (`smtp_mx_session_limit`).
    pub session_limit: usize,
    /// Where mail goes that no host of its own takes now (`smtp_fallback_relay`).
    pub fallback: Vec<Hop>,
    /// `smtp_randomize_addresses`
    pub randomize: bool,
    /// A host that greets with 5yz is passed over, and at the end mail waits (`smtp_skip_5xx_greeting`).
    pub skip_refusing: bool,
    /// 8-bit parts are converted for a server without 8BITMIME (`disable_mime_output_conversion = no`).
    pub convert: bool,
    /// A connection with nothing to send stays open for so long (`smtp_connection_cache_time_limit`).
    pub idle: Duration,
    /// And is used for so long in all (`smtp_connection_reuse_time_limit`).
    pub reuse: Duration,
    /// How long deliveries may go on when the program stops (`stop_timeout`).
    pub stop: Duration,
    pub backoff: Backoff,
    pub schedule: Limits,
    pub bounce: crate::bounce::Settings,
    /// What bounds the plan of a bounce.
    pub plan: mda::Limits,
}

impl Default for Settings {
    /// Postfix's defaults.
    fn default() -> Settings {
        let seconds = Duration::from_secs;
        Settings {
            helo: "localhost".into(),
            hostname: "localhost".into(),
            route: route::Settings::default(),
            port: 25,
            own: Vec::new(),
            dns_servers: Vec::new(),
            ipv4: true,
            ipv6: true,
            tls: TlsLevel::None,
            logins: crate::Logins::default(),
            connect: seconds(30),
            timeouts: Timeouts::default(),
            transfer: seconds(180),
            address_limit: 5,
            session_limit: 2,
            fallback: Vec::new(),
            randomize: true,
            skip_refusing: true,
            convert: true,
            idle: seconds(2),
            reuse: seconds(300),
            stop: seconds(30),
            backoff: Backoff::default(),
            schedule: Limits::default(),
            bounce: crate::bounce::Settings::default(),
            plan: mda::Limits::default(),
        }
    }
}

impl Settings {
    /// What `config` says. A `smtp_tcp_port` that is none counts as 25.
    pub fn of(config: &Config) -> Settings {
        let time = |name| config.time(name);
        let millis = |name| i64::try_from(config.time(name).as_millis()).unwrap_or(i64::MAX);
        let backoff = Backoff {
            minimal: millis("minimal_backoff_time"),
            maximal: millis("maximal_backoff_time"),
            lifetime: millis("maximal_queue_lifetime"),
            bounce_lifetime: millis("bounce_queue_lifetime"),
        };
        let port = port_of(config.text("smtp_tcp_port")).unwrap_or(25);
        let protocols = config.list("inet_protocols");
        let family = |name: &str| protocols.iter().any(|protocol| protocol == name || protocol == "all");
        Settings {
            helo: config.text("smtp_helo_name").to_owned(),
            hostname: config.hostname().to_ascii_lowercase(),
            route: route::Settings::of(config),
            port,
            own: own(config, port),
            dns_servers: config.list("dns_servers").iter().filter_map(|text| net::dns::server(text)).collect(),
            ipv4: family("ipv4"),
            ipv6: family("ipv6"),
            tls: match config.text("smtp_tls_security_level") {
                "encrypt" => TlsLevel::Encrypt,
                "may" => TlsLevel::May,
                _ => TlsLevel::None,
            },
            logins: crate::Logins::of(config),
            connect: time("smtp_connect_timeout"),
            timeouts: Timeouts {
                hello: time("smtp_helo_timeout"),
                starttls: time("smtp_starttls_timeout"),
                mail: time("smtp_mail_timeout"),
                rcpt: time("smtp_rcpt_timeout"),
                data: time("smtp_data_init_timeout"),
                end: time("smtp_data_done_timeout"),
                rset: time("smtp_rset_timeout"),
                quit: time("smtp_quit_timeout"),
            },
            transfer: time("smtp_data_xfer_timeout"),
            address_limit: config.count("smtp_mx_address_limit"),
            session_limit: config.count("smtp_mx_session_limit"),
            fallback: fallback(config),
            randomize: config.bool("smtp_randomize_addresses"),
            skip_refusing: config.bool("smtp_skip_5xx_greeting"),
            convert: !config.bool("disable_mime_output_conversion"),
            idle: time("smtp_connection_cache_time_limit"),
            reuse: time("smtp_connection_reuse_time_limit"),
            stop: time("stop_timeout"),
            backoff,
            schedule: Limits {
                initial: config.count("smtp_initial_destination_concurrency").max(1),
                window: config.count("smtp_destination_concurrency_limit"),
                recipients: config.count("smtp_destination_recipient_limit"),
                delay: time("smtp_destination_rate_delay"),
                cohorts: f64::from(u32::try_from(config.int("smtp_destination_concurrency_failed_cohort_limit")).unwrap_or(1)),
                positive: Feedback::parse(config.text("smtp_destination_concurrency_positive_feedback")).unwrap_or_default(),
                negative: Feedback::parse(config.text("smtp_destination_concurrency_negative_feedback")).unwrap_or_default(),
                pause: time("minimal_backoff_time"),
            },
            bounce: crate::bounce::Settings::of(config),
            plan: mda::Limits { direct_recipients: config.count("direct_recipient_limit"), backoff },
        }
    }

    /// Whom to ask for names.
    pub(crate) fn dns(&self) -> net::dns::Settings {
        net::dns::Settings { servers: self.dns_servers.clone(), ipv4: self.ipv4, ipv6: self.ipv6 }
    }

    /// Whether we ourselves listen there. "Any address" is this machine for whoever connects to it, and who listens on all hears all of 127.0.0.0/8.
    pub fn is_own(&self, address: SocketAddr) -> bool {
        let ip = address.ip();
        let is_here = |own: &SocketAddr| own.ip() == ip || ip.is_unspecified() || (own.ip().is_unspecified() && ip.is_loopback());
        self.own.iter().any(|own| own.port() == address.port() && is_here(own))
    }
}

/// What is no hop is left out, with a warning: mail goes without it as it would have before.
fn fallback(config: &Config) -> Vec<Hop> {
    let hop = |text: &String| Hop::parse(text).inspect_err(|bad| tracing::warn!("smtp_fallback_relay: {bad}")).ok();
    config.list("smtp_fallback_relay").iter().filter_map(hop).collect()
}

/// Where the `smtp` service listens, and where a proxy does in its place (`proxy_interfaces`).
fn own(config: &Config, port: u16) -> Vec<SocketAddr> {
    let mut own: Vec<SocketAddr> = config.list("proxy_interfaces").iter().filter_map(|text| text.trim_matches(['[', ']']).parse().ok()).map(|ip| SocketAddr::new(ip, port)).collect();
    for listen in config.listens("smtp") {
        let Listen::Tcp(at) = listen else { continue };
        own.push(*at);
        if at.ip().is_unspecified() {
            let family = config.addresses().iter().filter(|address| address.is_ipv4() == at.is_ipv4());
            own.extend(family.map(|address| SocketAddr::new(*address, at.port())));
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Outside;
    use std::path::Path;

    fn settings(text: &str) -> Settings {
        let text = format!("myhostname = mail.example.test\nmyorigin = $mydomain\n{text}");
        let config = Config::new(Path::new("/c"), &text, &Outside::nothing("vm")).expect("sound");
        Settings::of(&config)
    }

    #[test]
    fn defaults_are_those_of_main_cf() {
        let (of, default) = (settings(""), Settings::default());
        assert_eq!((of.helo.as_str(), of.hostname.as_str(), of.port, of.tls), ("mail.example.test", "mail.example.test", 25, TlsLevel::None));
        assert_eq!((of.timeouts, of.connect, of.transfer), (default.timeouts, default.connect, default.transfer));
        assert_eq!((of.address_limit, of.session_limit, of.idle, of.reuse), (5, 2, default.idle, default.reuse));
        assert_eq!((of.schedule, of.backoff), (default.schedule, default.backoff));
    }

    #[test]
    fn what_is_set_counts() {
        let set = settings("smtp_tcp_port = 2525\ndns_servers = 127.0.0.1:5353, [::1], 192.0.2.53\nsmtp_tls_security_level = encrypt\nsmtp_listen = 127.0.0.2:25\ninet_protocols = ipv4\nsmtp_helo_name = out.example.test");
        assert_eq!((set.port, set.tls, set.ipv4, set.ipv6, set.helo.as_str()), (2525, TlsLevel::Encrypt, true, false, "out.example.test"));
        assert_eq!(set.dns_servers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.0.1:5353", "[::1]:53", "192.0.2.53:53"]);
        assert!(set.is_own("127.0.0.2:25".parse().expect("an address")));
        assert!(!set.is_own("127.0.0.2:26".parse().expect("an address")) && !set.is_own("192.0.2.1:25".parse().expect("an address")));
        let own = |text: &str, address: &str| settings(text).is_own(address.parse().expect("an address"));
        for address in ["127.0.0.1:25", "127.0.0.2:25", "0.0.0.0:25", "[::]:25"] {
            assert!(own("smtp_listen = 0.0.0.0:25", address), "{address}");
            assert!(!own("smtp_listen = 0.0.0.0:2525", address), "{address}: somebody else's port");
        }
        assert!(!own("smtp_listen = 127.0.0.1:25", "127.0.0.2:25"), "another server of this machine");
        assert!(own("smtp_listen = 127.0.0.1:25\nproxy_interfaces = 192.0.2.8", "192.0.2.8:25"));
        let fallback = settings("smtp_fallback_relay = [a.test]:2525, a..b, b.test").fallback;
        assert_eq!(fallback.iter().map(ToString::to_string).collect::<Vec<_>>(), ["[a.test]:2525", "b.test"]);
        let slow = settings("default_destination_rate_delay = 2s\nsmtp_destination_recipient_limit = 7\nstop_timeout = 9s");
        assert_eq!((slow.schedule.delay, slow.schedule.recipients, slow.stop), (Duration::from_secs(2), 7, Duration::from_secs(9)));
    }
}
