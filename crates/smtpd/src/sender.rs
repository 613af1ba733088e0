//! MAIL: who may be the sender.

use crate::settings::Role;
use crate::visit::{Visit, plain};
use mail::{ReversePath, Status};
use smtp::Reply;

pub(crate) const UNKNOWN_NOW: Reply = Reply::fixed(451, Status(4, 3, 0), "Temporary lookup failure");
const LOGIN_FIRST: Reply = Reply::fixed(530, Status(5, 7, 0), "Authentication required");

/// From strangers anybody may be; from our own users themselves, or nobody (`<>`: receipts are sent so, RFC 8098 §3).
pub(crate) async fn judge(visit: &Visit, from: &ReversePath) -> Result<(), Reply> {
    if visit.role() != Role::Submission {
        return Ok(());
    }
    let identity = visit.identity().ok_or(LOGIN_FIRST)?;
    let ReversePath::Address(sender) = from else { return Ok(()) };
    let service = visit.service();
    let owned = service.store.addresses_of(identity.account).await.map_err(|error| {
        tracing::error!("addresses of {} can't be read: {error}", identity.login);
        UNKNOWN_NOW
    })?;
    let (base, _) = sender.split_delimiter(&service.router().settings().delimiter);
    if owned.iter().any(|address| address.is_same(sender) || address.is_same(&base)) {
        return Ok(());
    }
    let text = format!("<{}>: Sender address rejected: not owned by user {}", plain(&sender.to_string()), identity.login);
    Err(Reply::new(553, Status(5, 7, 1), text))
}
