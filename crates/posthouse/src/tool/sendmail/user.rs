//! Who calls: by the real user id, as `/etc/passwd` names it.

use std::fmt;
use std::fs;

/// A user of this machine.
#[derive(Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub login: Option<String>,
    gecos: String,
}

impl User {
    /// Whoever runs this process.
    pub fn this() -> User {
        let uid = rustix::process::getuid().as_raw();
        User::of(uid, &fs::read("/etc/passwd").map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default())
    }

    fn of(uid: u32, passwd: &str) -> User {
        let found = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let login = fields.next().filter(|login| !login.is_empty())?;
            let number: u32 = fields.nth(1)?.parse().ok()?;
            let gecos = fields.nth(1).unwrap_or_default();
            (number == uid).then(|| (login.to_owned(), gecos.to_owned()))
        });
        let (login, gecos) = found.map_or((None, String::new()), |(login, gecos)| (Some(login), gecos));
        User { uid, login, gecos }
    }

    /// `$NAME`, or what `/etc/passwd` says: up to a comma, `&` standing for the login.
    pub fn full_name(&self) -> Option<String> {
        let own = self.gecos.split(',').next().unwrap_or_default();
        let login = self.login.clone().unwrap_or_default();
        let mut letters = login.chars();
        let capital: String = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
        std::env::var("NAME").ok().or_else(|| Some(own.replace('&', &capital))).filter(|name| !name.is_empty())
    }
}

/// `alice(1000)`, as in Postfix's messages.
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.login.as_deref().unwrap_or("unknown"), self.uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nbroken\nalice:x:1000:1000:& Liddell,Room 1:/home/alice:/bin/sh\n";
        let alice = User::of(1000, passwd);
        assert_eq!((alice.to_string().as_str(), alice.gecos.as_str()), ("alice(1000)", "& Liddell,Room 1"));
        assert_eq!(User::of(7, passwd).to_string(), "unknown(7)");
        if std::env::var_os("NAME").is_none() {
            assert_eq!(alice.full_name().as_deref(), Some("Alice Liddell"));
        }
    }
}
