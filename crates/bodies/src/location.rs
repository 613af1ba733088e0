//! Where accounts' mail lies: `mail_location` and the [`Home`] it gives an address.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use mail::Address;

use crate::Error;

/// Longest file name that Linux file systems take, in bytes.
const NAME_MAX: usize = 255;

/// A parsed `mail_location`: `maildir:/var/mail/%d/%n`.
///
/// `%d` is the domain, `%n` the local part, `%u` the whole address, `%%` a percent sign. Left out:
/// `mbox:` and `s3:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailLocation {
    text: String,
    /// The path cut at `/`; each component is a run of pieces.
    components: Vec<Vec<Piece>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Domain,
    Local,
    Whole,
}

impl MailLocation {
    /// Reads the value of `mail_location`.
    pub fn parse(value: &str) -> Result<MailLocation, Error> {
        let bad = |why| Error::BadLocation { value: value.into(), why };
        let Some(path) = value.strip_prefix("maildir:") else {
            return Err(bad("only maildir:/absolute/path is supported so far; write e.g. maildir:/var/lib/posthouse/mail/%d/%n"));
        };
        let Some(path) = path.strip_prefix('/') else {
            return Err(bad("the path must begin with /, so that it does not depend on where the server was started"));
        };
        let components = path
            .split('/')
            .filter(|component| !component.is_empty())
            .map(|component| pieces(component).ok_or_else(|| bad("after % only d, n, u or % may stand")))
            .collect::<Result<Vec<_>, _>>()?;
        if components.iter().any(|pieces| matches!(&pieces[..], [Piece::Text(text)] if text == "." || text == "..")) {
            return Err(bad("the path must not contain . or .."));
        }
        if !components.iter().flatten().any(|piece| matches!(piece, Piece::Local | Piece::Whole)) {
            return Err(bad("the path must contain %n or %u, or all accounts would share one mailbox"));
        }
        Ok(MailLocation { text: value.into(), components })
    }

    /// The home of `address`, or why its parts cannot name a directory.
    pub(crate) fn home(&self, address: &Address) -> Result<Home, Error> {
        let mut path = PathBuf::from("/");
        for pieces in &self.components {
            let mut component = String::new();
            for piece in pieces {
                match piece {
                    Piece::Text(text) => component.push_str(text),
                    Piece::Domain => component.push_str(address.domain()),
                    Piece::Local => component.push_str(address.local()),
                    Piece::Whole => {
                        component.push_str(address.local());
                        component.push('@');
                        component.push_str(address.domain());
                    }
                }
            }
            valid_component("the address part", &component)?;
            path.push(component);
        }
        Ok(Home(path.into()))
    }

    /// The directory above all homes: what precedes the first component with a variable.
    pub(crate) fn root(&self) -> PathBuf {
        let fixed = self.components.iter().map_while(|pieces| match &pieces[..] {
            [Piece::Text(text)] => Some(text.as_str()),
            _ => None,
        });
        Path::new("/").join(fixed.collect::<PathBuf>())
    }
}

impl FromStr for MailLocation {
    type Err = Error;
    fn from_str(value: &str) -> Result<MailLocation, Error> {
        MailLocation::parse(value)
    }
}

impl fmt::Display for MailLocation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// An account's own directory. Callers hold this and never a path, so that it can later be a directory lent
/// by the privileged half as a descriptor.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Home(pub(crate) Arc<Path>);

impl Home {
    /// For messages to the operator and `mailbox list --json` only.
    pub fn display(&self) -> impl fmt::Display + '_ {
        self.0.display()
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Home({})", self.0.display())
    }
}

impl From<PathBuf> for Home {
    /// For tests and tools that were given a directory by the operator.
    fn from(path: PathBuf) -> Home {
        Home(path.into())
    }
}

/// Refuses everything that would leave its directory or mean another file than it says.
pub(crate) fn valid_component(what: &'static str, value: &str) -> Result<(), Error> {
    let why = match value {
        "" => "it is empty",
        "." | ".." => "it names another directory",
        _ if value.len() > NAME_MAX => "it is longer than 255 bytes",
        _ if value.contains('/') => "it contains a slash",
        _ if value.chars().any(char::is_control) => "it contains a control character",
        _ => return Ok(()),
    };
    Err(Error::BadName { what, value: value.into(), why })
}

/// Cuts one component at its variables; `None` if a `%` is followed by anything unknown.
fn pieces(component: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = component.chars();
    while let Some(next) = rest.next() {
        let variable = match next {
            '%' => match rest.next()? {
                '%' => None,
                'd' => Some(Piece::Domain),
                'n' => Some(Piece::Local),
                'u' => Some(Piece::Whole),
                _ => return None,
            },
            other => {
                text.push(other);
                continue;
            }
        };
        match variable {
            None => text.push('%'),
            Some(piece) => {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(piece);
            }
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(location: &str, address: &str) -> Result<String, Error> {
        let address = Address::parse(address).expect("an address");
        Ok(MailLocation::parse(location)?.home(&address)?.display().to_string())
    }

    #[test]
    fn variables_are_replaced() {
        for (location, expected) in [
            ("maildir:/m/%d/%n", "/m/example.test/alice"),
            ("maildir:/m/%u", "/m/alice@example.test"),
            ("maildir://m//%d/x-%n-y/Maildir/", "/m/example.test/x-alice-y/Maildir"),
            ("maildir:/100%%/%n", "/100%/alice"),
        ] {
            assert_eq!(home(location, "alice@example.test").expect(location), expected);
        }
    }

    #[test]
    fn unusable_locations_are_refused() {
        for location in ["", "/m/%n", "mbox:/var/mail/%n", "maildir:m/%n", "maildir:/m/%x/%n", "maildir:/m/%n/%", "maildir:/m/../%n", "maildir:/m/%d"] {
            assert!(matches!(MailLocation::parse(location), Err(Error::BadLocation { .. })), "{location}");
        }
    }

    #[test]
    fn an_address_cannot_leave_its_directory() {
        for local in ["..", ".", "../../etc", "a/b", "/etc/passwd", "a\0b"] {
            let quoted = format!("\"{local}\"@example.test");
            let Ok(address) = Address::parse(&quoted) else { continue };
            let home = MailLocation::parse("maildir:/m/%d/%n").expect("a location").home(&address);
            assert!(matches!(home, Err(Error::BadName { .. })), "{local}");
        }
        assert!(home("maildir:/m/%d/%n", "a/b@example.test").is_err(), "a slash is legal in a local part, but not here");
    }

    #[test]
    fn the_root_is_what_precedes_the_variables() {
        let root = |text: &str| MailLocation::parse(text).expect(text).root();
        assert_eq!(root("maildir:/var/lib/x/%d/%n"), Path::new("/var/lib/x"));
        assert_eq!(root("maildir:/%n"), Path::new("/"));
    }
}
