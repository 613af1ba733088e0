//! The codes of refusals, `…_reject_code` in main.cf.

use config::Config;

/// With Postfix's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codes {
    pub reject: u16,
    pub defer: u16,
    pub relay: u16,
    pub map_reject: u16,
    pub map_defer: u16,
    pub rbl: u16,
    pub non_fqdn: u16,
    pub invalid_hostname: u16,
    pub plaintext: u16,
    pub multi_recipient_bounce: u16,
    pub unknown_client: u16,
    pub unknown_hostname: u16,
    pub unknown_address: u16,
}

impl Default for Codes {
    fn default() -> Codes {
        Codes {
            reject: 554,
            defer: 450,
            relay: 554,
            map_reject: 554,
            map_defer: 450,
            rbl: 554,
            non_fqdn: 504,
            invalid_hostname: 501,
            plaintext: 450,
            multi_recipient_bounce: 550,
            unknown_client: 450,
            unknown_hostname: 450,
            unknown_address: 450,
        }
    }
}

impl Codes {
    pub(crate) fn of(config: &Config) -> Codes {
        let code = |name| u16::try_from(config.int(name)).unwrap_or(451);
        Codes {
            reject: code("reject_code"),
            defer: code("defer_code"),
            relay: code("relay_domains_reject_code"),
            map_reject: code("access_map_reject_code"),
            map_defer: code("access_map_defer_code"),
            rbl: code("maps_rbl_reject_code"),
            non_fqdn: code("non_fqdn_reject_code"),
            invalid_hostname: code("invalid_hostname_reject_code"),
            plaintext: code("plaintext_reject_code"),
            multi_recipient_bounce: code("multi_recipient_bounce_reject_code"),
            unknown_client: code("unknown_client_reject_code"),
            unknown_hostname: code("unknown_hostname_reject_code"),
            unknown_address: code("unknown_address_reject_code"),
        }
    }
}
