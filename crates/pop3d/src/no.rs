//! How errors of others are told to a POP3 client (RFC 2449 §8.1, RFC 3206). The cause goes to the log.

use auth::Denied;
use pop3::{Absent, Code, Reply};

/// A login that was denied. Only a wrong password makes a client ask for another.
pub(crate) fn denied(denied: &Denied) -> Reply {
    match denied {
        Denied::BadCredentials => Reply::coded(Code::Auth, "Login or password is wrong"),
        Denied::Disabled => Reply::coded(Code::Auth, "This account is disabled"),
        Denied::Unavailable(_) => Reply::coded(Code::SysTemp, "Logins can't be checked now, try again later"),
    }
}

/// The store could not.
pub(crate) fn failed(error: &dyn std::fmt::Display) -> Reply {
    tracing::error!(%error, "the store could not do what a POP3 client asked");
    Reply::coded(Code::SysTemp, "The mail can't be reached now, try again later")
}

/// A number that names nothing.
pub(crate) fn absent(absent: Absent) -> Reply {
    match absent {
        Absent::Never => Reply::err("No such message"),
        Absent::Deleted => Reply::err("That message is marked deleted"),
    }
}

/// A message another client removed meanwhile.
pub(crate) fn gone() -> Reply {
    Reply::err("That message was removed by another client")
}

/// A password would cross the wire in clear.
pub(crate) fn insecure() -> Reply {
    Reply::coded(Code::Auth, "A password may be sent only under TLS: use STLS or the pop3s port")
}
