//! LOGIN — RFC 3501 §6.2.3.

use super::CommandBody;
use crate::cursor::{Bad, Cursor};

#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// As sent: octets, since clients send raw 8-bit names and passwords. Never holds NUL.
    pub user: Vec<u8>,
    pub password: Vec<u8>,
}

impl std::fmt::Debug for Login {
    /// Never shows the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &String::from_utf8_lossy(&self.user)).finish_non_exhaustive()
    }
}

pub(crate) fn parse(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let user = cursor.astring_8bit()?.into_owned();
    cursor.sp()?;
    let password = cursor.astring_8bit()?.into_owned();
    cursor.trailing_spaces(); // old clients send one (C-13)
    Ok(CommandBody::Login(Login { user, password }))
}
