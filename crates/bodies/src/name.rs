//! Names of files in a Maildir.
//!
//! `<sec>.R<hex>.<host>,S=<n>,W=<n>,U=<n>` is the *base*: it never changes. `S` is the size on disk, `W` the size
//! in CRLF form (Dovecot's and Courier's quota read them), `U` the UID (mbsync's). In `cur/` there follows `:2,` and
//! the flags in ASCII order; lower-case letters are Dovecot's keywords and, like letters we do not know and whatever
//! follows a further comma, are kept as they are.

use std::fmt;
use std::sync::Arc;

use crate::Name;

/// Longest part of the host in a name, in bytes: leaves room for the rest in 255.
const HOST_LIMIT: usize = 64;

/// The base name of a file of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// Unix seconds; sorts a directory by arrival for programs that know nothing else.
    pub sec: u64,
    /// What makes the name unique.
    pub random: Name,
    /// This machine, by [`host_part`].
    pub host: Arc<str>,
    /// Octets on disk.
    pub size: u64,
    /// Octets in CRLF form. Equal to `size` exactly if the file is stored in CRLF form (or has no line end).
    pub wire: u64,
    /// The UID in its mailbox.
    pub uid: u32,
}

impl FileName {
    /// Reads a base name that we made; names by other programs give `None` (see [`Hints`] for those).
    pub fn parse(base: &str) -> Option<FileName> {
        let (unique, hints) = base.split_once(',')?;
        let (sec, rest) = unique.split_once('.')?;
        let (random, host) = rest.split_once('.')?;
        let hints = Hints::of(&base[base.len() - hints.len() - 1..]);
        let name = FileName {
            sec: sec.parse().ok()?,
            random: Name::parse(random)?,
            host: host.into(),
            size: hints.size?,
            wire: hints.wire?,
            uid: hints.uid?,
        };
        (name.to_string() == base).then_some(name)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileName { sec, random, host, size, wire, uid } = self;
        write!(out, "{sec}.{random}.{host},S={size},W={wire},U={uid}")
    }
}

/// What a base name by any program says about its message. Only hints: tools that edit mail break them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// `S=`, octets on disk.
    pub size: Option<u64>,
    /// `W=`, octets in CRLF form.
    pub wire: Option<u64>,
    /// `U=`, the UID.
    pub uid: Option<u32>,
    /// The seconds it begins with.
    pub sec: Option<u64>,
}

impl Hints {
    /// Reads the hints of `base`; a repeated key counts the first time.
    pub fn of(base: &str) -> Hints {
        let mut parts = base.split(',');
        let unique = parts.next().unwrap_or_default();
        let mut hints = Hints { sec: unique.split('.').next().and_then(|sec| sec.parse().ok()), ..Hints::default() };
        for part in parts {
            match part.split_once('=') {
                Some(("S", n)) if hints.size.is_none() => hints.size = n.parse().ok(),
                Some(("W", n)) if hints.wire.is_none() => hints.wire = n.parse().ok(),
                Some(("U", n)) if hints.uid.is_none() => hints.uid = n.parse().ok(),
                _ => {}
            }
        }
        hints
    }
}

/// Cuts a file name into its base and, if it has one, the text after `:2,`.
pub(crate) fn split_info(file: &str) -> (&str, Option<&str>) {
    match file.split_once(':') {
        Some((base, info)) => (base, info.strip_prefix("2,")),
        None => (file, None),
    }
}

/// The letters after `:2,` when the flags become `letters`, keeping what is not ours in `old`.
pub(crate) fn merge_info(old: &str, letters: &str) -> String {
    let (old_letters, tail) = match old.find(',') {
        Some(at) => old.split_at(at),
        None => (old, ""),
    };
    let mut all: Vec<char> = old_letters.chars().filter(|letter| !OURS.contains(*letter)).chain(letters.chars()).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().chain(tail.chars()).collect()
}

/// The flags of Maildir that have a flag of IMAP: draft, flagged, passed, replied, seen, trashed.
pub(crate) const OURS: &str = "DFPRST";

/// `host` as it may stand in a name: `/` and `:` escaped as other Maildir programs do, `,` and others replaced.
pub fn host_part(host: &str) -> Arc<str> {
    let mut part = String::new();
    for letter in host.trim().chars() {
        match letter {
            '/' => part.push_str("\\057"),
            ':' => part.push_str("\\072"),
            '.' | '-' | '_' => part.push(letter),
            _ if letter.is_ascii_alphanumeric() => part.push(letter),
            _ => part.push('_'),
        }
        if part.len() >= HOST_LIMIT {
            break;
        }
    }
    if part.is_empty() { "localhost".into() } else { part.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        let name = FileName { sec: 1_795_486_185, random: Name::random(), host: "vm.example.test".into(), size: 50, wire: 55, uid: 7 };
        let base = name.to_string();
        assert!(base.starts_with("1795486185.R") && base.ends_with(".vm.example.test,S=50,W=55,U=7"), "{base}");
        assert_eq!(FileName::parse(&base), Some(name));
    }

    #[test]
    fn names_by_others_give_hints_only() {
        for (base, size, wire, uid) in [
            ("1795486185.M252131P21954.vm,S=50,W=55", Some(50), Some(55), None),
            ("1795486185.12_1.vm,U=9", None, None, Some(9)),
            ("msg.Xyz", None, None, None),
            ("1.R.h,S=,W=x,U=-1", None, None, None),
            (",,,=,S=1,S=2", Some(1), None, None),
            ("", None, None, None),
        ] {
            assert_eq!(FileName::parse(base), None, "{base}");
            let hints = Hints::of(base);
            assert_eq!((hints.size, hints.wire, hints.uid), (size, wire, uid), "{base}");
        }
    }

    #[test]
    fn info_is_cut_and_merged() {
        assert_eq!(split_info("a.b.c,S=1:2,FS"), ("a.b.c,S=1", Some("FS")));
        assert_eq!(split_info("a.b.c:2,"), ("a.b.c", Some("")));
        assert_eq!(split_info("a.b.c"), ("a.b.c", None));
        assert_eq!(split_info("a.b.c:1,x"), ("a.b.c", None));
        for (old, letters, merged) in [("", "", ""), ("S", "FS", "FS"), ("FRabc", "S", "Sabc"), ("S,x=S", "F", "F,x=S"), ("XS", "", "X")] {
            assert_eq!(merge_info(old, letters), merged, "{old} + {letters}");
        }
    }

    #[test]
    fn hosts_cannot_break_a_name() {
        for (host, part) in [("vm.example.test\n", "vm.example.test"), ("a/b:c,d=e", "a\\057b\\072c_d_e"), ("", "localhost"), ("ä", "_")] {
            assert_eq!(&*host_part(host), part);
        }
        assert!(host_part(&"x".repeat(300)).len() <= HOST_LIMIT + 3);
    }
}
