//! Whether a client may send to a recipient: `smtpd_relay_restrictions`, then `smtpd_recipient_restrictions`. Pure.

use config::restrictions::Restriction;

/// What is known of a client and of the recipient it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    /// Its address is in `mynetworks`.
    pub trusted: bool,
    /// It has logged in.
    pub authenticated: bool,
    /// The recipient's domain is ours or in `relay_domains`.
    pub ours: bool,
}

/// What the lists say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Permit,
    RelayDenied,
    RelayDeferred,
    Reject,
    Defer,
}

/// Applies both lists in their order; each must let the recipient pass. Whatever they say, a stranger never relays: what
/// passes both is denied where there is neither trust, nor login, nor a domain of ours (no open relay by any configuration).
pub(crate) fn judge(relay: &[Restriction], recipient: &[Restriction], who: Who) -> Access {
    for list in [relay, recipient] {
        match decide(list, who) {
            Access::Permit => {}
            refused => return refused,
        }
    }
    if who.ours || who.trusted || who.authenticated { Access::Permit } else { Access::RelayDenied }
}

/// The first rule that decides; a list that ends undecided lets pass.
fn decide(list: &[Restriction], who: Who) -> Access {
    let rule = |rule: &Restriction| match rule {
        Restriction::Permit => Some(Access::Permit),
        Restriction::PermitMynetworks => who.trusted.then_some(Access::Permit),
        Restriction::PermitSaslAuthenticated => who.authenticated.then_some(Access::Permit),
        Restriction::PermitAuthDestination => who.ours.then_some(Access::Permit),
        Restriction::RejectUnauthDestination => (!who.ours).then_some(Access::RelayDenied),
        Restriction::DeferUnauthDestination => (!who.ours).then_some(Access::RelayDeferred),
        Restriction::Reject => Some(Access::Reject),
        Restriction::Defer => Some(Access::Defer),
    };
    list.iter().find_map(rule).unwrap_or(Access::Permit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::restrictions::parse;
    use proptest::prelude::*;

    const STRANGER: Who = Who { trusted: false, authenticated: false, ours: false };

    #[test]
    fn lists_decide_in_order() {
        let usual = "permit_mynetworks permit_sasl_authenticated defer_unauth_destination";
        for (relay, recipient, who, expected) in [
            (usual, "", STRANGER, Access::RelayDeferred),
            (usual, "", Who { ours: true, ..STRANGER }, Access::Permit),
            (usual, "", Who { trusted: true, ..STRANGER }, Access::Permit),
            (usual, "", Who { authenticated: true, ..STRANGER }, Access::Permit),
            (usual, "permit_sasl_authenticated reject", Who { ours: true, ..STRANGER }, Access::Reject),
            (usual, "defer", Who { authenticated: true, ..STRANGER }, Access::Defer),
            ("", "permit_mynetworks reject_unauth_destination", STRANGER, Access::RelayDenied),
            ("permit_auth_destination reject", "", Who { trusted: true, ..STRANGER }, Access::Reject),
            ("permit_auth_destination reject", "", Who { ours: true, ..STRANGER }, Access::Permit),
            ("reject_unauth_destination", "", Who { trusted: true, authenticated: true, ours: false }, Access::RelayDenied),
            ("", "", STRANGER, Access::RelayDenied),
            ("permit", "permit", STRANGER, Access::RelayDenied),
        ] {
            let judged = judge(&parse(relay).expect("a list"), &parse(recipient).expect("a list"), who);
            assert_eq!(judged, expected, "{relay} | {recipient} | {who:?}");
        }
    }

    fn list() -> impl Strategy<Value = Vec<Restriction>> {
        let words = ["permit", "permit_mynetworks", "permit_sasl_authenticated", "permit_auth_destination", "reject_unauth_destination", "reject", "defer"];
        prop::collection::vec(prop::sample::select(words.to_vec()), 0..5).prop_map(|words| parse(&words.join(" ")).expect("a list"))
    }

    proptest! {
        #[test]
        fn no_lists_let_a_stranger_relay(relay in list(), recipient in list()) {
            prop_assert_ne!(judge(&relay, &recipient, STRANGER), Access::Permit);
        }
    }
}
