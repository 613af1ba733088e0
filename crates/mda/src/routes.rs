//! What is asked of `route`: where an address leads, one step at a time. A trait, so that deliveries can be tested with
//! a table of addresses.

use std::future::Future;
use std::sync::Arc;

use mail::Address;
use store::AccountId;

/// One step on the way of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed {
    /// It is a mailbox here. `address` is the account's own, `detail` what followed the delimiter.
    Mailbox { account: AccountId, address: Address, detail: Option<String> },
    /// It stands for these.
    Alias(Vec<Address>),
    /// It leaves this machine by this next hop (empty: that of its domain).
    Remote(String),
    /// It is ours and cannot be told yet, e.g. `postmaster` before there is an account.
    Later(&'static str),
    /// It is ours and nobody has it.
    Unknown,
}

/// Tells where addresses lead.
pub trait Routes: Send + Sync + 'static {
    /// The next step of `address`. An error is temporary: a table or the directory cannot be read.
    fn next(&self, address: &Address) -> impl Future<Output = Result<Routed, db::Error>> + Send;
}

impl<R: Routes> Routes for Arc<R> {
    async fn next(&self, address: &Address) -> Result<Routed, db::Error> {
        R::next(self, address).await
    }
}

impl Routes for route::Router {
    async fn next(&self, address: &Address) -> Result<Routed, db::Error> {
        Ok(match route::Router::next(self, address).await? {
            route::Next::Mailbox { account, address, detail } => Routed::Mailbox { account, address, detail },
            route::Next::Alias(targets) => Routed::Alias(targets),
            route::Next::Remote { hop, .. } => Routed::Remote(hop),
            route::Next::Later(why) => Routed::Later(why),
            route::Next::Unknown(_) => Routed::Unknown,
        })
    }
}
