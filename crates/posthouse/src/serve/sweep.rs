//! Upkeep of the spool: bodies that no row names, once they are so old that nobody is still about to.

use std::time::{Duration, SystemTime};

use crate::house::House;
use net::Stop;

/// How often it is swept: what is swept is 36 hours old, so it does not matter much.
const EVERY: Duration = Duration::from_secs(6 * 3600);

/// Sweeps now and then, until the stop.
pub async fn run(house: House, stop: Stop) {
    loop {
        match sweep(&house).await {
            Ok(swept) => tracing::debug!("spool: {swept:?}"),
            Err(error) => tracing::warn!("sweeping the spool: {error}; it is tried again"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.requested() => return,
        }
    }
}

async fn sweep(house: &House) -> Result<bodies::Swept, Box<dyn std::error::Error + Send + Sync>> {
    // The time is taken first: what is named after this look was made after it, too.
    let now = SystemTime::now();
    let mut named = store::settle::spooled(&house.store).await?;
    named.extend(queue::spooled(&house.db).await?);
    Ok(house.store.bodies().sweep(named, now).await?)
}
