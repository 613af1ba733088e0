//! An account's keywords, as the language shows them.

use std::sync::Arc;

use imap::FlagNames;
use mail::{Flags, Keyword};
use store::Keywords;

pub(crate) fn of(keywords: &Keywords) -> Arc<FlagNames> {
    FlagNames::new(|bit| {
        let flag = Flags::dictionary_bit(bit)?;
        keywords.names(flag).next().map(|keyword| Keyword::as_str(keyword).to_owned())
    })
}
