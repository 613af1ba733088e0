//! USER — RFC 1939 §7. The rest of the line is the name: some have spaces.

use super::{Command, Reading};
use crate::Reply;

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    *reading.user = None; // a second USER is a new beginning
    let name = reading.argument.unwrap_or_default().trim_ascii();
    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty() && !name.chars().any(char::is_control));
    let Some(name) = name else { return Err(Reply::err("USER takes a user name")) };
    *reading.user = Some(name.to_owned());
    Ok(Command::User(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::{When, read};
    use super::*;

    #[test]
    fn the_rest_of_the_line_is_the_name() {
        let table: [(&[u8], Option<&str>); 6] = [
            (b"USER alice@example.test", Some("alice@example.test")),
            (b"user A Lice ", Some("A Lice")),
            (b"USER", None),
            (b"USER  ", None),
            (b"USER \xff", None),
            (b"USER a\tb", None),
        ];
        for (line, name) in table {
            let mut user = Some("somebody before".to_string());
            let command = read(line, When::Authorization, &mut user).ok();
            assert_eq!(command, name.map(|name| Command::User(name.into())));
            assert_eq!(user.as_deref(), name, "{:?}", String::from_utf8_lossy(line));
        }
    }
}
