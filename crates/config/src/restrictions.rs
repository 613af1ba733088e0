//! `smtpd_relay_restrictions` and `smtpd_recipient_restrictions`: lists of rules, tried in order until one decides.
//!
//! Only the rules below are known here; one that is not makes the configuration unsound, since skipping a rule of access
//! is the one thing a mail server must not do. No list of them can turn the server into an open relay: see [`is_open`].

use crate::value;

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// Whoever it is.
    Permit,
    /// A client in `mynetworks`.
    PermitMynetworks,
    /// A client that has authenticated.
    PermitSaslAuthenticated,
    /// A recipient in a domain of ours, or in `relay_domains`.
    PermitAuthDestination,
    /// Refuses for good all that `PermitAuthDestination` would not permit.
    RejectUnauthDestination,
    /// The same, for now (4xx).
    DeferUnauthDestination,
    /// Refuses for good.
    Reject,
    /// Refuses for now.
    Defer,
}

/// As they are written.
pub(crate) const WORDS: [(&str, Restriction); 8] = [
    ("permit", Restriction::Permit),
    ("permit_mynetworks", Restriction::PermitMynetworks),
    ("permit_sasl_authenticated", Restriction::PermitSaslAuthenticated),
    ("permit_auth_destination", Restriction::PermitAuthDestination),
    ("reject_unauth_destination", Restriction::RejectUnauthDestination),
    ("defer_unauth_destination", Restriction::DeferUnauthDestination),
    ("reject", Restriction::Reject),
    ("defer", Restriction::Defer),
];

/// Rules that hold here always, before any list: commands sent too early are refused, and so are recipients nobody has.
const IMPLIED: [&str; 2] = ["reject_unauth_pipelining", "reject_unlisted_recipient"];

/// Reads a list; the error names the rule that is not known. Rules that hold here anyway are left out.
pub fn parse(text: &str) -> Result<Vec<Restriction>, String> {
    let implied = |element: &&String| IMPLIED.iter().any(|word| element.eq_ignore_ascii_case(word));
    let word = |element: &String| {
        let found = WORDS.iter().find(|(word, _)| element.eq_ignore_ascii_case(word));
        found.map(|(_, rule)| *rule).ok_or_else(|| format!("\"{element}\" is not supported, and it may restrict access"))
    };
    value::list(text)?.iter().filter(|element| !implied(element)).map(word).collect()
}

/// True if a stranger's mail for another's domain passes `list` undecided or permitted: then nothing in it stops relaying.
pub fn is_open(list: &[Restriction]) -> bool {
    for rule in list {
        match rule {
            Restriction::Permit => return true,
            Restriction::RejectUnauthDestination | Restriction::DeferUnauthDestination => return false,
            Restriction::Reject | Restriction::Defer => return false,
            Restriction::PermitMynetworks | Restriction::PermitSaslAuthenticated | Restriction::PermitAuthDestination => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_rules_are_read_and_unknown_ones_named() {
        let list = parse("permit_mynetworks, permit_sasl_authenticated\n reject_unauth_destination").unwrap();
        assert_eq!(list, [Restriction::PermitMynetworks, Restriction::PermitSaslAuthenticated, Restriction::RejectUnauthDestination]);
        assert_eq!(parse(""), Ok(vec![]));
        assert_eq!(parse("reject_unauth_pipelining, permit, reject_unlisted_recipient"), Ok(vec![Restriction::Permit]));
        let error = parse("permit_mynetworks reject_rbl_client zen.example").unwrap_err();
        assert_eq!(error, "\"reject_rbl_client\" is not supported, and it may restrict access");
    }

    #[test]
    fn open_lists_are_seen() {
        for (text, open) in [
            ("", true),
            ("permit", true),
            ("permit_mynetworks", true),
            ("permit_mynetworks permit reject", true),
            ("permit_mynetworks reject_unauth_destination", false),
            ("defer_unauth_destination permit", false),
            ("permit_auth_destination reject", false),
            ("defer", false),
        ] {
            assert_eq!(is_open(&parse(text).unwrap()), open, "{text}");
        }
    }
}
