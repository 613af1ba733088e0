//! `user import FILE`: accounts of a Dovecot passwd-file, with their hashes.
//!
//! ```text
//! user@domain:{SCHEME}hash:uid:gid:gecos:home:shell:extra fields, separated by spaces
//! ```
//!
//! An account that is there stays as it is, so a file can be imported again after what was wrong in it is mended. Uid, gid,
//! home and shell mean nothing here; of the extra fields the quota is taken, and one that restricts who may log in refuses
//! its line, since the account would be more open here than it was.

use std::path::{Path, PathBuf};

use mail::Address;
use store::Refused;

use crate::command::user::{scram, size};
use crate::failure::{Code, Failure, of_store};
use crate::house::House;
use crate::say::say;

/// Largest file taken, in bytes: some hundred thousand accounts.
const FILE: u64 = 64 << 20;

/// What one line of the file asks for.
#[derive(Debug, PartialEq, Eq)]
struct Line<'f> {
    login: Address,
    record: &'f str,
    quota: Option<u64>,
    /// Extra fields that have no meaning here.
    ignored: Vec<&'f str>,
}

/// What became of a line.
enum Done {
    Made,
    Known,
}

pub(super) async fn import(house: &House, file: &Path) -> Result<(), Failure> {
    let text = read(file)?;
    let domains = house.store.domains().await.map_err(|error| of_store("domains", &error))?;
    let only = match &domains[..] {
        [only] => Some(only.name.as_str()),
        _ => None,
    };
    let (mut made, mut known, mut refused) = (0, 0, 0);
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let done = match parse(line, only) {
            Ok(line) => {
                if !line.ignored.is_empty() {
                    eprintln!("posthouse: {}, line {number}: {}: not taken over: {}", file.display(), line.login, line.ignored.join(" "));
                }
                make(house, &line).await.map_err(|text| format!("{}: {text}", line.login))
            }
            Err(text) => Err(text),
        };
        match done {
            Ok(Done::Made) => made += 1,
            Ok(Done::Known) => known += 1,
            Err(text) => {
                refused += 1;
                eprintln!("posthouse: {}, line {number}: {text}", file.display());
            }
        }
    }
    say(format_args!("{made} imported, {known} were there already, {refused} refused"));
    match refused {
        0 => Ok(()),
        _ => Err(Failure::new(Code::BadInput, file.display(), format!("{refused} lines were refused; mend them and import the file again"))),
    }
}

async fn make(house: &House, line: &Line<'_>) -> Result<Done, String> {
    let there = house.store.account_by_login(&line.login).await.map_err(|error| error.to_string())?;
    if there.is_some() {
        return Ok(Done::Known);
    }
    let secret = auth::secret_of_record(line.record, scram(house)).map_err(|error| format!("{error}; set a password: posthouse user add {}", line.login))?;
    match house.store.add_account(&line.login, secret, line.quota).await {
        Ok(_) => Ok(Done::Made),
        Err(error) => Err(match store::refused(&error) {
            Some(Refused::NoSuchDomain(domain)) => format!("the domain {domain} is not hosted; posthouse domain add {domain}"),
            Some(Refused::AddressExists(_)) => "the address is an alias; posthouse alias remove it, or leave the line out".into(),
            _ => error.to_string(),
        }),
    }
}

/// Reads one line; `only` completes a user without a domain.
fn parse<'f>(line: &'f str, only: Option<&str>) -> Result<Line<'f>, String> {
    let mut fields = line.trim_end_matches('\r').splitn(8, ':');
    let user = fields.next().unwrap_or_default();
    let record = fields.next().ok_or("no password; a line is user@domain:{SCHEME}hash:…")?;
    let login = match (user.contains('@'), only) {
        (true, _) => Address::parse(user),
        (false, Some(domain)) => Address::parse(&format!("{user}@{domain}")),
        (false, None) => return Err(format!("{user:?} has no domain; write user@domain")),
    };
    let login = login.map_err(|error| format!("{user:?}: {error}; write user@domain"))?;
    if record.is_empty() || record.starts_with(['!', '*']) {
        return Err(format!("{login}: no password, so nobody could log in; posthouse user add {login}"));
    }
    let mut read = Line { login, record, quota: None, ignored: Vec::new() };
    for extra in fields.nth(5).unwrap_or_default().split_ascii_whitespace() {
        let (name, value) = extra.split_once('=').unwrap_or((extra, ""));
        match name.strip_prefix("userdb_").unwrap_or(name) {
            "quota_rule" | "quota_storage_size" | "quota_bytes" => {
                let (login, quota) = (&read.login, quota(value));
                read.quota = quota.map_err(|text| format!("{login}: {extra}: {text}; write userdb_quota_rule=*:storage=2G"))?;
            }
            "allow_nets" | "nologin" | "allow_real_nets" | "nopassword" | "user_disabled" | "expired" => {
                return Err(format!("{}: {extra}: who may log in can't be limited so; take it out of the line, or leave the account out", read.login));
            }
            _ => read.ignored.push(extra),
        }
    }
    Ok(read)
}

/// `*:storage=2G`, `*:bytes=1048576`, `*:storage=2G:messages=1000`, or `2G`; a number alone behind `storage` is of kilobytes, and 0
/// is no limit.
fn quota(value: &str) -> Result<Option<u64>, String> {
    let rule = value.strip_prefix("*:").unwrap_or(value);
    let mut most = None;
    for part in rule.split(':') {
        let bytes = match part.split_once('=') {
            Some(("storage", kilobytes)) if kilobytes.bytes().all(|digit| digit.is_ascii_digit()) => size(&format!("{kilobytes}K"))?,
            Some(("storage" | "bytes", bytes)) => size(bytes)?,
            Some(("messages", _)) => continue, // there is no quota on their number
            None => size(part)?,
            Some((name, _)) => return Err(format!("no {name} in a quota")),
        };
        most = (bytes > 0).then_some(bytes);
    }
    Ok(most)
}

fn read(file: &Path) -> Result<String, Failure> {
    use std::io::Read;
    let failed = |code, text: String| Failure::new(code, PathBuf::from(file).display(), text);
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(|error| failed(Code::Unavailable, format!("{error}; name a passwd-file")))?;
    opened.take(FILE + 1).read_to_string(&mut text).map_err(|error| failed(Code::BadInput, format!("{error}; the file must be UTF-8")))?;
    match text.len() as u64 > FILE {
        true => Err(failed(Code::BadInput, "larger than 64 MiB; import it in parts".into())),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_dovecot_writes_them() {
        let read = |line| parse(line, Some("example.test"));
        let full = read("alice@example.test:{SSHA}xyz==:5000:5000:Alice:/var/mail/alice::userdb_quota_rule=*:storage=2G userdb_mail=maildir:~/Maildir").expect("a line");
        assert_eq!((full.login.to_string().as_str(), full.record, full.quota), ("alice@example.test", "{SSHA}xyz==", Some(2 << 30)));
        assert_eq!(full.ignored, ["userdb_mail=maildir:~/Maildir"]);
        let short = read("bob:$6$salt$hash\r").expect("a line");
        assert_eq!((short.login.to_string().as_str(), short.record, short.quota), ("bob@example.test", "$6$salt$hash", None));
        for (line, words) in [
            ("alice@example.test", "no password"),
            ("alice@example.test::::", "no password"),
            ("alice@example.test:!:1:1", "no password"),
            ("@:{PLAIN}x", "write user@domain"),
            ("alice@example.test:{PLAIN}x:::::: allow_nets=10.0.0.0/8", "allow_nets"),
            ("alice@example.test:{PLAIN}x::::::userdb_quota_rule=*:storage=x", "no unit"),
        ] {
            let error = read(line).expect_err(line);
            assert!(error.contains(words), "{line}: {error}");
        }
        assert!(parse("bob:x", None).expect_err("which domain").contains("no domain"));
    }

    #[test]
    fn quotas_are_dovecots() {
        for (text, bytes) in [
            ("*:storage=2G", Some(2 << 30)),
            ("*:storage=1024", Some(1 << 20)),
            ("*:bytes=1000", Some(1000)),
            ("*:storage=1M:messages=5", Some(1 << 20)),
            ("*:messages=5", None),
            ("*:storage=0", None),
            ("500M", Some(500 << 20)),
        ] {
            assert_eq!(quota(text), Ok(bytes), "{text}");
        }
        assert!(quota("Trash:storage=+10%").is_err());
    }
}
