//! What each command does, one file each; before the login they get a `Stranger`, after it a `Guest`.

mod auth;
mod capa;
mod dele;
mod list;
mod noop;
mod pass;
mod quit;
mod retr;
mod rset;
mod stat;
mod stls;
mod top;
mod uidl;
mod user;

pub(crate) use auth::{auth, auth_list};
pub(crate) use capa::capa;
pub(crate) use dele::dele;
pub(crate) use list::list;
pub(crate) use noop::noop;
pub(crate) use pass::pass;
pub(crate) use quit::quit;
pub(crate) use retr::retr;
pub(crate) use rset::rset;
pub(crate) use stat::stat;
pub(crate) use stls::stls;
pub(crate) use top::top;
pub(crate) use uidl::uidl;
pub(crate) use user::user;
