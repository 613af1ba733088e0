//! The lists, and what belongs to them, as main.cf has them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use config::maps::Maps;
use config::restrictions::Restriction;

use super::Codes;

type List = Arc<[Restriction]>;

/// `smtpd_…_restrictions`
#[derive(Clone, Debug)]
pub struct Rules {
    pub client: List,
    pub helo: List,
    pub sender: List,
    pub relay: List,
    pub recipient: List,
    pub data: List,
    pub end_of_data: List,
    /// `local_header_rewrite_clients`
    pub headers: List,
    /// `smtpd_delay_reject`
    pub delay: bool,
    /// `smtpd_relay_before_recipient_restrictions`
    pub relay_first: bool,
    /// `smtpd_reject_unlisted_sender`
    pub unlisted_sender: bool,
    /// `smtpd_sender_login_maps`
    pub logins: Maps,
    /// `smtpd_null_access_lookup_key`
    pub(super) null_key: String,
    /// `parent_domain_matches_subdomains` has `smtpd_access_maps`.
    pub(super) subdomains: bool,
    pub(super) classes: Arc<BTreeMap<String, List>>,
    pub(super) codes: Codes,
    /// `default_rbl_reply`, `rbl_reply_maps`
    pub(super) rbl_reply: String,
    pub(super) rbl_replies: Maps,
    /// `smtpd_policy_service_timeout`, `smtpd_policy_service_default_action`
    pub(super) policy_timeout: Duration,
    pub(super) policy_default: String,
    addresses: Vec<IpAddr>,
}

impl Default for Rules {
    /// Only relaying is restricted.
    fn default() -> Rules {
        let none: List = Arc::default();
        Rules {
            client: none.clone(),
            helo: none.clone(),
            sender: none.clone(),
            relay: vec![Restriction::PermitMynetworks, Restriction::PermitSaslAuthenticated, Restriction::RejectUnauthDestination].into(),
            recipient: none.clone(),
            data: none.clone(),
            end_of_data: none.clone(),
            headers: none,
            delay: true,
            relay_first: true,
            unlisted_sender: false,
            logins: Maps::default(),
            null_key: "<>".to_owned(),
            subdomains: true,
            classes: Arc::default(),
            codes: Codes::default(),
            rbl_reply: "$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using $rbl_domain${rbl_reason?; $rbl_reason}".to_owned(),
            rbl_replies: Maps::default(),
            policy_timeout: Duration::from_secs(100),
            policy_default: "451 4.3.5 Server configuration problem".to_owned(),
            addresses: Vec::new(),
        }
    }
}

impl Rules {
    /// What `config` says.
    pub fn of(config: &Config) -> Rules {
        let list = |name| config.restrictions(name);
        Rules {
            client: list("smtpd_client_restrictions"),
            helo: list("smtpd_helo_restrictions"),
            sender: list("smtpd_sender_restrictions"),
            relay: list("smtpd_relay_restrictions"),
            recipient: list("smtpd_recipient_restrictions"),
            data: list("smtpd_data_restrictions"),
            end_of_data: list("smtpd_end_of_data_restrictions"),
            headers: list("local_header_rewrite_clients"),
            delay: config.bool("smtpd_delay_reject"),
            relay_first: config.bool("smtpd_relay_before_recipient_restrictions"),
            unlisted_sender: config.bool("smtpd_reject_unlisted_sender"),
            logins: config.maps("smtpd_sender_login_maps"),
            null_key: config.text("smtpd_null_access_lookup_key").to_owned(),
            subdomains: config.matches_subdomains("smtpd_access_maps"),
            classes: Arc::new(config.restriction_classes().clone()),
            codes: Codes::of(config),
            rbl_reply: config.text("default_rbl_reply").to_owned(),
            rbl_replies: config.maps("rbl_reply_maps"),
            policy_timeout: config.time("smtpd_policy_service_timeout"),
            policy_default: config.text("smtpd_policy_service_default_action").to_owned(),
            addresses: config.addresses().to_vec(),
        }
    }

    /// For who has logged in and submits: of relaying and recipients alone.
    #[must_use]
    pub fn for_submission(self) -> Rules {
        let none: List = Arc::default();
        Rules { client: none.clone(), helo: none.clone(), sender: none.clone(), data: none.clone(), end_of_data: none, unlisted_sender: false, ..self }
    }

    /// Whether addresses in the headers of a client are rewritten.
    pub(crate) fn rewrites_headers(&self, client: IpAddr, trusted: bool, logged_in: bool) -> bool {
        self.headers.iter().any(|rule| match rule {
            Restriction::PermitInetInterfaces => self.is_here(client),
            Restriction::PermitMynetworks => trusted,
            Restriction::PermitSaslAuthenticated => logged_in,
            Restriction::Access(_, access) => access.table.get(&client.to_string()).is_some(),
            _ => false,
        })
    }

    pub(super) fn is_here(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.addresses.contains(&address)
    }
}
