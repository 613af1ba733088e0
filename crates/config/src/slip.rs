//! Slips of the hand, and what was probably meant: a variable that the shell ate, a name with a letter wrong.

use crate::check;
use crate::table;

/// Parameters that Postfix refuses to have empty, and the variable that mostly stands in them.
const NEVER_EMPTY: [(&str, &str); 9] = [
    ("database_url", ""),
    ("mail_location", ""),
    ("mail_name", ""),
    ("mail_owner", ""),
    ("mydomain", ""),
    ("myhostname", "mydomain"),
    ("myorigin", "mydomain"),
    ("store_directory", ""),
    ("syslog_name", ""),
];

/// Lists of names, in which a variable that vanished leaves a hole.
const LISTS_OF_NAMES: [&str; 5] = ["mydestination", "masquerade_domains", "relay_domains", "virtual_alias_domains", "virtual_mailbox_domains"];

/// Why an expanded value that is empty can't be, in the words of Postfix.
pub(crate) fn must_not_be_empty(name: &str, value: &str) -> Option<String> {
    let refused = value.is_empty() && NEVER_EMPTY.iter().any(|(never, _)| *never == name);
    refused.then(|| format!("bad string length 0 < 1: {name} ="))
}

/// `postconf -e "myorigin=$mydomain"`: within double quotes the shell puts its own variable there, which is empty. Told by
/// what it leaves in `value`, as it was written: nothing at all, a hole in a list (`,localhost.,localhost`), a name that ends in a dot.
pub fn eaten(name: &str, value: &str) -> Option<String> {
    let eaten = |variable: &str| Some(format!("did the shell eat ${variable}? use single quotes: postconf -e '{name} = ${variable}'"));
    let value = value.trim_ascii();
    if value.is_empty() {
        return match NEVER_EMPTY.iter().find(|(never, _)| *never == name)? {
            (_, "") => Some("did the shell eat a variable? use single quotes".to_owned()),
            (_, variable) => eaten(variable),
        };
    }
    if name == "smtpd_banner" && value.starts_with("ESMTP") {
        return Some(format!("did the shell eat $myhostname? use single quotes: postconf -e '{name} = $myhostname {value}'"));
    }
    if LISTS_OF_NAMES.contains(&name) {
        let holes = value.starts_with(',') || value.replace(' ', "").contains(",,");
        let dotted = value.split([',', ' ']).any(|element| element.len() > 1 && element.ends_with('.'));
        let variables = match (holes, dotted) {
            (true, true) => "$myhostname and $mydomain",
            (true, false) => "$myhostname",
            (false, true) => "$mydomain",
            (false, false) => return None,
        };
        return Some(format!("did the shell eat {variables}? use single quotes"));
    }
    None
}

/// `mydimain: did you mean mydomain?`, if a parameter's name is that near.
pub fn misspelt(name: &str) -> Option<String> {
    let known = table::parameter(name).is_some() || table::LEGACY.contains(&name);
    check::near(name).filter(|_| !known).map(|near| format!("{name}: did you mean {near}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_shell_ate_is_guessed() {
        let cases = [
            ("myorigin", "", Some("did the shell eat $mydomain? use single quotes: postconf -e 'myorigin = $mydomain'")),
            ("mydestination", ",localhost.,localhost", Some("did the shell eat $myhostname and $mydomain? use single quotes")),
            ("mydestination", ", localhost", Some("did the shell eat $myhostname? use single quotes")),
            ("mydestination", "mail.example.test, localhost., localhost", Some("did the shell eat $mydomain? use single quotes")),
            ("smtpd_banner", " ESMTP ", Some("did the shell eat $myhostname? use single quotes: postconf -e 'smtpd_banner = $myhostname ESMTP'")),
            ("mydomain", "", Some("did the shell eat a variable? use single quotes")),
            ("relayhost", "", None),
            ("mydestination", "", None),
            ("mydestination", "$myhostname, localhost.$mydomain, localhost", None),
            ("myorigin", "$mydomain", None),
            ("mynetworks", "127.0.0.0/8,,10.0.0.0/8", None),
        ];
        for (name, value, want) in cases {
            assert_eq!(eaten(name, value).as_deref(), want, "{name} = {value}");
        }
    }

    #[test]
    fn a_letter_wrong_is_guessed() {
        assert_eq!(misspelt("mydimain").as_deref(), Some("mydimain: did you mean mydomain?"));
        assert_eq!(misspelt("mydomain"), None);
        assert_eq!(misspelt("nothing_like_it"), None);
    }
}
