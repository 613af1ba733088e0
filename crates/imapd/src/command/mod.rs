//! What each command means: one file a command.

pub(crate) mod append;
pub(crate) mod authenticate;
pub(crate) mod capability;
mod close;
mod compress;
mod copy;
mod create;
mod delete;
mod enable;
mod expunge;
pub(crate) mod fetch;
mod id;
pub(crate) mod idle;
mod list;
pub(crate) mod login;
mod logout;
mod lsub;
mod r#move;
mod namespace;
mod noop;
mod quota;
mod rename;
mod search;
mod select;
mod sort;
pub(crate) mod starttls;
mod status;
mod store;
mod subscribe;
mod thread;

use imap::{CommandBody, Tagged};

use crate::Imapd;
use crate::halt::Halt;
use crate::session::Reader;
use crate::talk::Talk;

/// A command legal in every state. `Ok(None)`: answered already, and the conversation is over or the answer was the
/// session's own.
pub(crate) async fn any(talk: &mut Talk, imapd: &Imapd, body: CommandBody, logged_in: bool) -> Result<Option<Tagged>, Halt> {
    match body {
        CommandBody::Capability => capability::capability(talk, imapd, logged_in).await.map(Some),
        CommandBody::Noop => Ok(Some(noop::noop())),
        CommandBody::Id(fields) => id::id(talk, &fields).await.map(Some),
        CommandBody::Logout => logout::logout(talk).await.map(|()| None),
        CommandBody::Reflex(reflex) => Err(Halt::Reflex(reflex)),
        _ => Err(Tagged::bad("Not now").into()),
    }
}

/// A command of a logged-in client. `Ok(None)`: it has answered by itself. Each is boxed, so that a session that waits does not have the
/// room that the largest of them needs.
pub(crate) async fn run(reader: &mut Reader, body: CommandBody) -> Result<Option<Tagged>, Halt> {
    use CommandBody as C;
    if body.enables_condstore() {
        reader.enable_condstore().await?;
    }
    let tagged = match body {
        C::Capability | C::Noop | C::Id(_) | C::Logout | C::Reflex(_) => {
            return any(&mut reader.talk, &reader.imapd, body, true).await;
        }
        C::Compress => return compress::compress(reader).await,
        C::Enable(extensions) => Box::pin(enable::enable(reader, &extensions)).await,
        C::Namespace => Box::pin(namespace::namespace(reader)).await,
        C::List(list) => Box::pin(list::list(reader, &list)).await,
        C::Lsub(pattern) => Box::pin(lsub::lsub(reader, &pattern)).await,
        C::Xlist(pattern) => Box::pin(list::xlist(reader, pattern)).await,
        C::Subscribe(name) => Box::pin(subscribe::subscribe(reader, &name)).await,
        C::Unsubscribe(name) => Box::pin(subscribe::unsubscribe(reader, &name)).await,
        C::Select(select) => Box::pin(select::select(reader, &select, false)).await,
        C::Examine(select) => Box::pin(select::select(reader, &select, true)).await,
        C::GetQuota(root) => Box::pin(quota::get(reader, &root)).await,
        C::GetQuotaRoot(mailbox) => Box::pin(quota::get_root(reader, &mailbox)).await,
        C::SetQuota(root) => Box::pin(quota::set(reader, &root)).await,
        C::Status(status) => Box::pin(status::status(reader, &status)).await,
        C::Create(create) => Box::pin(create::create(reader, &create)).await,
        C::Delete(name) => Box::pin(delete::delete(reader, &name)).await,
        C::Rename(rename) => Box::pin(rename::rename(reader, &rename)).await,
        C::Append(append) => Box::pin(append::append(reader, append)).await,
        C::Idle => Box::pin(idle::idle(reader)).await,
        C::Check => noop::check(reader),
        C::Close => Box::pin(close::close(reader)).await,
        C::Unselect => close::unselect(reader),
        C::Expunge(set) => Box::pin(expunge::expunge(reader, set.as_ref())).await,
        C::Fetch(fetch) => Box::pin(fetch::fetch(reader, &fetch)).await,
        C::Store(change) => Box::pin(store::store(reader, change)).await,
        C::Copy(copy) => Box::pin(copy::copy(reader, &copy)).await,
        C::Move(copy) => r#move::r#move(reader, &copy).await,
        C::Search(search) => Box::pin(search::search(reader, &search)).await,
        C::Sort(sort) => Box::pin(sort::sort(reader, &sort)).await,
        C::Thread(thread) => Box::pin(thread::thread(reader, &thread)).await,
        C::StartTls | C::Login(_) | C::Authenticate(_) => Err(Tagged::bad("Already logged in").into()),
        C::AppendMore(_) => Err(Tagged::bad("Not expected here").into()), // APPEND takes it
    };
    tagged.map(Some)
}

