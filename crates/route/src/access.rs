//! Whether a client may send to a recipient: the lists of main.cf, applied. Pure.

use config::restrictions::Restriction;

/// What is known of a client and of the recipient it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// Its address is in `mynetworks`.
    pub trusted: bool,
    /// It has logged in.
    pub authenticated: bool,
    /// The recipient's domain is ours (hosted, local) or in `relay_domains`.
    pub ours: bool,
}

/// What the lists say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Permit,
    /// `554 5.7.1 <address>: Relay access denied`
    RelayDenied,
    /// `454 4.7.1 <address>: Relay access denied`
    RelayDeferred,
    /// `554 5.7.1 <address>: Recipient address rejected: Access denied`
    Reject,
    /// `450 4.7.1 <address>: Recipient address rejected: Access denied`
    Defer,
}

/// Applies both lists in their order; each must let the recipient pass. Whatever they say, a stranger never relays: without
/// trust, login or a domain of ours, what passes both is denied (invariant 9: no open relay by any configuration).
pub fn judge(relay: &[Restriction], recipient: &[Restriction], who: Who) -> Access {
    for list in [relay, recipient] {
        match judge_list(list, who) {
            Access::Permit => {}
            refused => return refused,
        }
    }
    if who.ours || who.trusted || who.authenticated { Access::Permit } else { Access::RelayDenied }
}

/// The first rule that decides; a list that ends undecided permits.
fn judge_list(list: &[Restriction], who: Who) -> Access {
    for rule in list {
        match rule {
            Restriction::Permit => return Access::Permit,
            Restriction::PermitMynetworks if who.trusted => return Access::Permit,
            Restriction::PermitSaslAuthenticated if who.authenticated => return Access::Permit,
            Restriction::PermitAuthDestination if who.ours => return Access::Permit,
            Restriction::RejectUnauthDestination if !who.ours => return Access::RelayDenied,
            Restriction::DeferUnauthDestination if !who.ours => return Access::RelayDeferred,
            Restriction::Reject => return Access::Reject,
            Restriction::Defer => return Access::Defer,
            _ => {}
        }
    }
    Access::Permit
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::restrictions::parse;
    use proptest::prelude::*;

    const STRANGER: Who = Who { trusted: false, authenticated: false, ours: false };

    #[test]
    fn lists_decide_in_order() {
        let usual = "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination";
        let cases = [
            (usual, "", STRANGER, Access::RelayDeferred),
            (usual, "", Who { ours: true, ..STRANGER }, Access::Permit),
            (usual, "", Who { trusted: true, ..STRANGER }, Access::Permit),
            (usual, "", Who { authenticated: true, ..STRANGER }, Access::Permit),
            (usual, "permit_sasl_authenticated, reject", Who { ours: true, ..STRANGER }, Access::Reject),
            (usual, "defer", Who { authenticated: true, ..STRANGER }, Access::Defer),
            ("", "permit_mynetworks, reject_unauth_destination", STRANGER, Access::RelayDenied),
            ("", "", STRANGER, Access::RelayDenied),
            ("permit", "permit", STRANGER, Access::RelayDenied),
            ("permit_auth_destination, reject", "", Who { trusted: true, ..STRANGER }, Access::Reject),
        ];
        for (relay, recipient, who, want) in cases {
            assert_eq!(judge(&parse(relay).unwrap(), &parse(recipient).unwrap(), who), want, "{relay} | {recipient} | {who:?}");
        }
    }

    proptest! {
        #[test]
        fn no_lists_let_a_stranger_relay(relay in proptest::collection::vec(0usize..8, 0..5), recipient in proptest::collection::vec(0usize..8, 0..5)) {
            const ALL: [Restriction; 8] = [Restriction::Permit, Restriction::PermitMynetworks, Restriction::PermitSaslAuthenticated,
                Restriction::PermitAuthDestination, Restriction::RejectUnauthDestination, Restriction::DeferUnauthDestination, Restriction::Reject, Restriction::Defer];
            let list = |picks: Vec<usize>| picks.into_iter().map(|n| ALL[n]).collect::<Vec<_>>();
            prop_assert_ne!(judge(&list(relay), &list(recipient), STRANGER), Access::Permit);
        }
    }
}
