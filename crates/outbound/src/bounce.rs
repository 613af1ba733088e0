//! Reports.

use std::time::Duration;

use config::Config;
use store::Store;

/// What reports take from main.cf.
#[derive(Clone, Debug, Default)]
pub struct Settings {}

impl Settings {
    pub fn of(_: &Config) -> Settings {
        Settings {}
    }
}

pub(crate) async fn report<R>(_: &Store, _: &R, _: &crate::Settings, _: i64) -> Result<Option<Duration>, mda::Error> {
    Ok(None)
}
