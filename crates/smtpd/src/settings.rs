//! What a service's sessions have in common.

use config::domains::Domains;
use config::networks::Networks;
use config::restrictions::Restriction;
use std::time::Duration;

/// Whom a service is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `smtp`: everybody brings us mail for our own users.
    Relay,
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
    /// `mydestination`: only for the text of a refusal.
    pub local_domains: Domains,
    /// Domains whose mail is taken in to be passed on.
    pub relay_domains: Domains,
    pub relay_restrictions: Vec<Restriction>,
    pub recipient_restrictions: Vec<Restriction>,
    /// There is somebody who sends mail to other hosts; else recipients there are refused.
    pub outbound: bool,
    /// What bounds the plan of a message.
    pub plan: mda::Limits,
    /// A message that went through more servers goes in a circle (`hopcount_limit`).
    pub hops: usize,
    /// `Received:` tells about TLS (`smtpd_tls_received_header`).
    pub tls_in_received: bool,
    /// `Received:` tells who logged in (`smtpd_sasl_authenticated_header`).
    pub login_in_received: bool,
    /// Splits `user+detail` (`recipient_delimiter`).
    pub delimiter: String,
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
            local_domains: Domains::default(),
            relay_domains: Domains::default(),
            relay_restrictions: vec![Restriction::PermitMynetworks, Restriction::PermitSaslAuthenticated, Restriction::RejectUnauthDestination],
            recipient_restrictions: Vec::new(),
            outbound: false,
            plan: mda::Limits::default(),
            hops: 50,
            tls_in_received: false,
            login_in_received: false,
            delimiter: String::new(),
            soft_errors: 10,
            error_sleep: Duration::from_secs(1),
        }
    }
}
