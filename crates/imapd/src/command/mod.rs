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
mod idle;
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

/// A command of a logged-in client. `Ok(None)`: it has answered by itself.
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
        C::Enable(extensions) => enable::enable(reader, &extensions).await,
        C::Namespace => namespace::namespace(reader).await,
        C::List(list) => list::list(reader, &list).await,
        C::Lsub(pattern) => lsub::lsub(reader, &pattern).await,
        C::Xlist(pattern) => list::xlist(reader, pattern).await,
        C::Subscribe(name) => subscribe::subscribe(reader, &name).await,
        C::Unsubscribe(name) => subscribe::unsubscribe(reader, &name).await,
        C::Select(select) => select::select(reader, &select, false).await,
        C::Examine(select) => select::select(reader, &select, true).await,
        C::GetQuota(root) => quota::get(reader, &root).await,
        C::GetQuotaRoot(mailbox) => quota::get_root(reader, &mailbox).await,
        C::SetQuota(root) => quota::set(reader, &root).await,
        C::Status(status) => status::status(reader, &status).await,
        C::Create(create) => create::create(reader, &create).await,
        C::Delete(name) => delete::delete(reader, &name).await,
        C::Rename(rename) => rename::rename(reader, &rename).await,
        C::Append(append) => append::append(reader, append).await,
        C::Idle => idle::idle(reader).await,
        C::Check => noop::check(reader),
        C::Close => close::close(reader).await,
        C::Unselect => close::unselect(reader),
        C::Expunge(set) => expunge::expunge(reader, set.as_ref()).await,
        C::Fetch(fetch) => fetch::fetch(reader, &fetch).await,
        C::Store(change) => store::store(reader, change).await,
        C::Copy(copy) => copy::copy(reader, &copy).await,
        C::Move(copy) => r#move::r#move(reader, &copy).await,
        C::Search(search) => search::search(reader, &search).await,
        C::Sort(sort) => sort::sort(reader, &sort).await,
        C::Thread(thread) => thread::thread(reader, &thread).await,
        C::StartTls | C::Login(_) | C::Authenticate(_) => Err(Tagged::bad("Already logged in").into()),
        C::AppendMore(_) => Err(Tagged::bad("Not expected here").into()), // APPEND takes it
    };
    tagged.map(Some)
}

