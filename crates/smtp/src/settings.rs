//! What a listener's sessions have in common: names, what is offered, limits.

use crate::Limits;

/// Which of the two protocols is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Smtp,
    /// RFC 2033: LHLO in place of EHLO, and after the body a reply for each recipient.
    Lmtp,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub language: Language,
    /// Our name in EHLO and 421 (`myhostname`).
    pub host: String,
    /// Domain for envelope addresses that have none (`myorigin`).
    pub origin: String,
    /// STARTTLS may be used (RFC 3207). Not told once TLS is on.
    pub starttls: bool,
    /// Before TLS nothing but NOOP, HELP, EHLO, HELO, STARTTLS, RSET and QUIT (`smtpd_tls_security_level = encrypt`).
    pub tls_required: bool,
    /// SASL mechanisms offered, upper case, best first; none: no AUTH.
    pub mechanisms: Vec<String>,
    /// AUTH without TLS. For tests on loopback only.
    pub auth_in_clear: bool,
    /// MAIL is refused before HELO or EHLO (`smtpd_helo_required`).
    pub hello_required: bool,
    /// `MAIL FROM:a@b` and `MAIL FROM: <a@b>` are refused (`strict_rfc821_envelopes`).
    pub strict_envelopes: bool,
    /// VRFY is answered 502 and not listed (`disable_vrfy_command`).
    pub vrfy_disabled: bool,
    /// Keywords that EHLO does not list, upper case (`smtpd_discard_ehlo_keywords`).
    pub discarded: Vec<String>,
    /// RET, ENVID, NOTIFY and ORCPT are refused (DSN is among them).
    pub dsn_disabled: bool,
    /// A client that sends on where it must wait for our answer (after EHLO, DATA, AUTH; RFC 2920 §3.1) is sent
    /// away (`smtpd_forbid_unauth_pipelining`): it is no mail client. After STARTTLS it always is.
    pub forbid_early_talk: bool,
    pub limits: Limits,
}

impl Settings {
    /// A relay that receives for `host`, with Postfix's defaults; nothing offered.
    pub fn new(host: impl Into<String>) -> Settings {
        let host = host.into();
        Settings {
            language: Language::Smtp,
            origin: host.clone(),
            host,
            starttls: false,
            tls_required: false,
            mechanisms: Vec::new(),
            auth_in_clear: false,
            hello_required: false,
            strict_envelopes: false,
            vrfy_disabled: false,
            discarded: Vec::new(),
            dsn_disabled: false,
            forbid_early_talk: true,
            limits: Limits::default(),
        }
    }
}
