//! What a table gives for an address: addresses, as virtual(5) and aliases(5) write them.
//!
//! ```text
//! value   = target *( ( "," / WSP ) target )
//! target  = address / "@" domain                       ; @domain: the same user there
//!         / "\" user                                   ; aliases: the user, not the alias of that name
//!         / ":include:" path / "|" command / "/" path  ; aliases; in quotes if there are blanks
//! ```

use std::fmt;

use mail::Address;

use crate::lookup::Found;
use crate::settings::Settings;

/// One thing that an alias stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Address(Address),
    /// `\user`
    User(Address),
    Include(String),
    Program(String),
    File(String),
}

/// A value that is no list of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoAddress(pub String);

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is no address", self.0)
    }
}

/// The words of a value, at commas and blanks outside of quotes and angle brackets, which are taken off a whole word.
fn words(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for c in value.chars() {
        let is_separator = !quoted && (c == ',' || c.is_ascii_whitespace());
        if is_separator {
            words.push(std::mem::take(&mut word));
            continue;
        }
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        word.push(c);
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words.iter().map(|word| word.strip_prefix('<').and_then(|word| word.strip_suffix('>')).unwrap_or(word).to_owned()).collect()
}

impl Settings {
    /// The addresses that a table gave for `of`. The extension that its key had not goes on with each if it `propagates`.
    pub(crate) fn addresses(&self, found: &Found, of: &Address, propagates: bool) -> Result<Vec<Address>, NoAddress> {
        let words = words(&found.value);
        if words.is_empty() {
            return Err(NoAddress(found.value.clone()));
        }
        words.iter().map(|word| self.address(word, of, found.extension.as_deref(), propagates)).collect()
    }

    fn address(&self, word: &str, of: &Address, extension: Option<&str>, propagates: bool) -> Result<Address, NoAddress> {
        let bad = || NoAddress(word.to_owned());
        let address = match word.strip_prefix('@') {
            Some(domain) => {
                let local = extension.and_then(|extension| of.local().strip_suffix(extension)).unwrap_or(of.local());
                Address::new(local, domain).map(|address| self.standard(&address))
            }
            None => self.complete(word),
        };
        let address = address.map_err(|_| bad())?;
        match extension.filter(|_| propagates) {
            Some(extension) => Address::new(&format!("{}{extension}", address.local()), address.domain()).map_err(|_| bad()),
            None => Ok(address),
        }
    }

    /// What an alias of aliases(5), or a line of a file that one includes, stands for.
    pub(crate) fn targets(&self, found: &Found, of: &Address) -> Result<Vec<Target>, NoAddress> {
        let (extension, propagates) = (found.extension.as_deref(), self.propagates.alias);
        let target = |word: &String| {
            let bare = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word);
            Ok(match (bare.bytes().next(), bare.strip_prefix(":include:")) {
                (_, Some(path)) => Target::Include(path.to_owned()),
                (Some(b'|'), _) => Target::Program(bare.to_owned()),
                (Some(b'/'), _) => Target::File(bare.to_owned()),
                (Some(b'\\'), _) => Target::User(self.address(bare.trim_start_matches('\\'), of, extension, propagates)?),
                _ => Target::Address(self.address(word, of, extension, propagates)?),
            })
        };
        words(&found.value).iter().map(target).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    #[test]
    fn values_are_lists_of_addresses() {
        let settings = settings("myorigin = example.test\nrecipient_delimiter = +\n");
        let of = Address::parse("joe+x@old.test").unwrap();
        for (value, extension, want) in [
            ("a@b.test", None, "a@b.test"),
            ("a, b@c.test\td,", None, "a@example.test b@c.test d@example.test"),
            ("@new.test", None, "joe+x@new.test"),
            ("@new.test", Some("+x"), "joe+x@new.test"),
            ("a@b.test c", Some("+x"), "a+x@b.test c+x@example.test"),
            ("<a@b.test>", None, "a@b.test"),
            ("\"a, b\"@c.test", None, "\"a, b\"@c.test"),
        ] {
            let found = Found { value: value.into(), extension: extension.map(str::to_owned) };
            let found = settings.addresses(&found, &of, true).unwrap();
            assert_eq!(found.iter().map(Address::to_string).collect::<Vec<_>>().join(" "), want, "{value}");
        }
        for value in ["", "a@", "a@b@c", "é", "@", "a@b.test (comment)"] {
            assert!(settings.addresses(&Found { value: value.into(), extension: None }, &of, true).is_err(), "{value}");
        }
    }

    #[test]
    fn aliases_stand_for_more_than_addresses() {
        let settings = settings("myorigin = example.test\n");
        let of = Address::parse("list@example.test").unwrap();
        let value = "a, \\b, \"|/usr/bin/prog -x\", /var/mail/x, :include:/etc/list, \"/a b\"";
        let found = settings.targets(&Found { value: value.into(), extension: None }, &of).unwrap();
        let at = |text: &str| Address::parse(text).unwrap();
        assert_eq!(found, [
            Target::Address(at("a@example.test")),
            Target::User(at("b@example.test")),
            Target::Program("|/usr/bin/prog -x".into()),
            Target::File("/var/mail/x".into()),
            Target::Include("/etc/list".into()),
            Target::File("/a b".into()),
        ]);
    }
}
