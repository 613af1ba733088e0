//! What is known of a message besides its flags and its octets; of large mailboxes a shelf keeps it.

use bytes::Bytes;
use db::Error;
use mail::{Date, Uid};

use crate::{AccountId, Identity, Kind, Mailbox, Message, Store};

/// Facts that never change. Kept as 26 octets (size, date, zone, date of saving; numbers little-endian) and the unique-id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// CRLF octets.
    pub size: u64,
    /// When it arrived, in the zone it arrived with.
    pub internaldate: Date,
    /// When it came into this mailbox, in milliseconds since 1970.
    pub savedate: i64,
    /// POP3's unique-id, when it was taken over from another server.
    pub uidl: Option<String>,
}

const OCTETS: usize = 26;
/// Messages asked of the database in one question. Mostly they are one range of UIDs.
const AT_ONCE: usize = 5_000;

impl Facts {
    /// The shelf they stand on.
    pub const KIND: Kind = Kind { name: "facts", version: 2, longest: 1 << 10 };

    pub fn of(message: &Message) -> Facts {
        Facts { size: message.size, internaldate: message.internaldate, savedate: message.savedate, uidl: message.uidl.clone() }
    }

    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(OCTETS);
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.internaldate.unix.to_le_bytes());
        out.extend_from_slice(&self.internaldate.offset_minutes.to_le_bytes());
        out.extend_from_slice(&self.savedate.to_le_bytes());
        out.extend_from_slice(self.uidl.as_deref().unwrap_or_default().as_bytes());
        out.into()
    }

    /// None for anything but what [`Facts::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Option<Facts> {
        let (bytes, uidl) = bytes.split_first_chunk::<OCTETS>()?;
        let uidl = if uidl.is_empty() { None } else { Some(std::str::from_utf8(uidl).ok()?.to_owned()) };
        let wide = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).ok();
        let zone = i16::from_le_bytes([bytes[16], bytes[17]]);
        Some(Facts { size: wide(0)?, internaldate: Date::new(wide(8)? as i64, zone), savedate: wide(18)? as i64, uidl })
    }
}

impl Store {
    /// The facts of these messages (ascending) of a mailbox, as far as they are there.
    pub async fn facts(&self, account: AccountId, mailbox: &Mailbox, uids: &[Uid]) -> Result<Vec<(Uid, Facts)>, Error> {
        let Some(shelf) = self.shelf(account, mailbox.id, mailbox.uidvalidity, uids.len(), Facts::KIND).await? else {
            return Ok(self.facts_now(account, mailbox, uids).await?.into_iter().map(|(of, facts)| (of.uid, facts)).collect());
        };
        let (_, kept) = shelf.read().await?.next(uids.to_vec()).await?;
        let kept: Vec<Option<Facts>> = kept.into_iter().map(|entry| Facts::from_bytes(&entry?)).collect();
        let missing: Vec<Uid> = uids.iter().zip(&kept).filter(|(_, facts)| facts.is_none()).map(|(uid, _)| *uid).collect();
        let mut all: Vec<(Uid, Facts)> = uids.iter().zip(kept).filter_map(|(uid, facts)| Some((*uid, facts?))).collect();
        if !missing.is_empty() {
            let found = self.facts_now(account, mailbox, &missing).await?;
            shelf.put(found.iter().map(|(of, facts)| (*of, facts.to_bytes())).collect()).await;
            all.extend(found.into_iter().map(|(of, facts)| (of.uid, facts)));
            all.sort_unstable_by_key(|(uid, _)| *uid);
        }
        Ok(all)
    }

    /// The same from the database.
    async fn facts_now(&self, account: AccountId, mailbox: &Mailbox, uids: &[Uid]) -> Result<Vec<(Identity, Facts)>, Error> {
        let mut found = Vec::with_capacity(uids.len());
        for some in uids.chunks(AT_ONCE) {
            found.extend(self.messages(account, mailbox.id, some, false).await?.iter().map(|message| (message.identity(), Facts::of(message))));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_read_back() {
        for (size, unix, zone, savedate, uidl) in [(0, 0, 0, 0, None), (u64::MAX, -1, -720, i64::MIN, Some("x")), (7, 1 << 40, 840, 1 << 50, Some("an id"))] {
            let facts = Facts { size, internaldate: Date::new(unix, zone), savedate, uidl: uidl.map(str::to_owned) };
            assert_eq!(Facts::from_bytes(&facts.to_bytes()).as_ref(), Some(&facts));
            assert_eq!(Facts::from_bytes(&facts.to_bytes()[..OCTETS - 1]), None);
        }
        assert_eq!(Facts::from_bytes(&[[0; OCTETS].as_slice(), b"\xff"].concat()), None);
    }
}
