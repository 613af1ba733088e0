//! PASS — RFC 1939 §7. It has one argument, so spaces belong to the password; only right after a USER that was
//! answered `+OK`.

use super::{Command, Reading, Secret};
use crate::Reply;

pub(super) fn read(reading: Reading<'_>) -> Result<Command, Reply> {
    let Some(user) = reading.user.take() else { return Err(Reply::err("USER first")) };
    match reading.argument {
        Some(password) if !password.is_empty() => Ok(Command::Pass { user, password: Secret::new(password) }),
        _ => Err(Reply::err("PASS takes a password")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{When, read};
    use super::*;

    #[test]
    fn a_password_keeps_its_spaces_and_its_bytes() {
        for password in [&b" a  b "[..], b"\xe4\xff", b"=", b"\t"] {
            let line = [b"PASS ", password].concat();
            let command = read(&line, When::Authorization, &mut Some("tim".into()));
            assert_eq!(command, Ok(Command::Pass { user: "tim".into(), password: Secret::new(password) }));
            assert!(!format!("{command:?}").contains("97"), "a password in a log: {command:?}");
        }
    }

    #[test]
    fn a_name_serves_one_try() {
        let mut user = Some("tim".to_string());
        assert_eq!(read(b"PASS", When::Authorization, &mut user), Err(Reply::err("PASS takes a password")));
        assert_eq!(read(b"PASS x", When::Authorization, &mut user), Err(Reply::err("USER first")));
    }
}
