//! `route`'s steps as `mda` asks for them.

use mail::Address;
use mda::{Routed, Routes};
use route::{Next, Router};

/// A router that the queue's runner follows.
pub struct Ways(pub Router);

impl Routes for Ways {
    async fn next(&self, address: &Address) -> Result<Routed, db::Error> {
        Ok(match self.0.next(address).await? {
            Next::Mailbox { account, address, detail } => Routed::Mailbox { account, address, detail },
            Next::Alias(targets) => Routed::Alias(targets),
            Next::Remote { hop, .. } => Routed::Remote(hop),
            Next::Later(why) => Routed::Later(why),
            Next::Unknown(_) => Routed::Unknown,
        })
    }
}
