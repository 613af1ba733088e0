//! GETQUOTA, GETQUOTAROOT — RFC 9208 §4.1: an account that is limited has one quota root, for all its mailboxes; another has none.
//! SETQUOTA, which is not announced (QUOTASET): limits are the administrator's to set.

use imap::response::Resource;
use imap::{Code, Response, Tagged};
use mail::MailboxName;
use store::Account;

use crate::halt::{Halt, Outcome};
use crate::session::Reader;

/// The name that Dovecot gives it, and clients show.
const ROOT: &str = "User quota";

/// What STORAGE counts in.
const UNIT: u64 = 1024;

pub(super) async fn get(reader: &mut Reader, root: &str) -> Outcome {
    match limits(reader).await? {
        Some(quota) if root == ROOT => reader.talk.say(quota).await?,
        _ => return Err(no_such_root()),
    }
    Ok(Tagged::ok("GETQUOTA completed"))
}

/// The mailbox need not be there (RFC 9208 §4.1.2).
pub(super) async fn get_root(reader: &mut Reader, mailbox: &MailboxName) -> Outcome {
    let quota = limits(reader).await?;
    let roots = quota.iter().map(|_| ROOT.into()).collect();
    let mut answer = vec![Response::QuotaRoot { mailbox: mailbox.clone(), roots }];
    answer.extend(quota);
    reader.talk.say_all(answer).await?;
    Ok(Tagged::ok("GETQUOTAROOT completed"))
}

pub(super) async fn set(reader: &Reader, root: &str) -> Outcome {
    match limits(reader).await? {
        Some(_) if root == ROOT => Ok(Tagged::no("Quotas are set by the administrator").code(Code::NoPerm)),
        _ => Err(no_such_root()),
    }
}

fn no_such_root() -> Halt {
    Tagged::no("No such quota root").code(Code::NonExistent).into()
}

/// What the account uses and may use, if anything limits it.
async fn limits(reader: &Reader) -> Result<Option<Response>, db::Error> {
    let account = reader.store().account(reader.account()).await?;
    let resources = account.map(|account| resources(&account)).unwrap_or_default();
    Ok((!resources.is_empty()).then(|| Response::Quota { root: ROOT.into(), resources }))
}

/// Both of a pair are rounded up, so that what is within its limit is so in these units too.
fn resources(account: &Account) -> Vec<(Resource, u64, u64)> {
    let storage = account.quota_bytes.map(|most| (Resource::Storage, account.used_bytes.div_ceil(UNIT), most.div_ceil(UNIT)));
    let messages = account.quota_messages.map(|most| (Resource::Message, account.used_messages, most));
    storage.into_iter().chain(messages).collect()
}
