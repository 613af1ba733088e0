//! A login as typed, and the address it means.

use mail::Address;

/// The address of a login: spaces around it dropped, a domain added where there is none, all in lower case (people and
/// their phones write `Alice@Example.Test`; the directory looks logins up in lower case). `None`: it can be nobody's.
pub(crate) fn address_of(login: &str, default_domain: Option<&str>) -> Option<Address> {
    let login = login.trim();
    let address = match login.contains('@') {
        true => Address::parse(login),
        false => Address::parse(&format!("{login}@{}", default_domain?)),
    };
    address.ok().map(|address| address.folded())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_many_spellings() {
        let table = [
            ("alice@example.test", Some("alice@example.test")),
            (" Alice@EXAMPLE.test ", Some("alice@example.test")),
            ("alice", Some("alice@home.test")),
            ("ALICE", Some("alice@home.test")),
            ("", None),
            ("@", None),
            ("alice@", None),
            ("@example.test", None),
            ("a b", None),
            ("ålice@example.test", None),
        ];
        for (login, address) in table {
            let got = address_of(login, Some("home.test")).map(|address| address.to_string());
            assert_eq!(got.as_deref(), address, "{login:?}");
        }
        assert!(address_of("alice", None).is_none());
    }
}
