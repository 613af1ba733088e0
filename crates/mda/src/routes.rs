//! What is asked of `route`: where an address leads in the end. A trait, so that deliveries can be tested with a table of addresses, and so that
//! a server that read its configuration anew answers by it.

use std::future::Future;
use std::sync::Arc;

use mail::Address;
use route::Route;

/// Tells where addresses lead.
pub trait Routes: Send + Sync + 'static {
    /// The ends of a recipient that comes in. An error is temporary: the directory cannot be read.
    fn route(&self, address: &Address) -> impl Future<Output = Result<Route, db::Error>> + Send;

    /// The same of one that was accepted before: nothing is rewritten twice.
    fn route_again(&self, address: &Address) -> impl Future<Output = Result<Route, db::Error>> + Send;
}

impl<R: Routes> Routes for Arc<R> {
    async fn route(&self, address: &Address) -> Result<Route, db::Error> {
        R::route(self, address).await
    }

    async fn route_again(&self, address: &Address) -> Result<Route, db::Error> {
        R::route_again(self, address).await
    }
}

impl Routes for route::Router {
    async fn route(&self, address: &Address) -> Result<Route, db::Error> {
        route::Router::route(self, address).await
    }

    async fn route_again(&self, address: &Address) -> Result<Route, db::Error> {
        route::Router::route_again(self, address).await
    }
}
