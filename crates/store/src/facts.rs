//! What is known of a message besides its flags and its octets, as a shelf keeps it.

use bytes::Bytes;
use mail::Date;

use crate::{Kind, Message};

/// Facts that never change. Kept as 26 octets: size, date, zone, date of saving; numbers little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// CRLF octets.
    pub size: u64,
    /// When it arrived, in the zone it arrived with.
    pub internaldate: Date,
    /// When it came into this mailbox, in milliseconds since 1970.
    pub savedate: i64,
}

const OCTETS: usize = 26;

impl Facts {
    /// The shelf they stand on.
    pub const KIND: Kind = Kind { name: "facts", version: 1 };

    pub fn of(message: &Message) -> Facts {
        Facts { size: message.size, internaldate: message.internaldate, savedate: message.savedate }
    }

    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(OCTETS);
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.internaldate.unix.to_le_bytes());
        out.extend_from_slice(&self.internaldate.offset_minutes.to_le_bytes());
        out.extend_from_slice(&self.savedate.to_le_bytes());
        out.into()
    }

    /// None for anything but what [`Facts::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Option<Facts> {
        let bytes: &[u8; OCTETS] = bytes.try_into().ok()?;
        let wide = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).ok();
        let zone = i16::from_le_bytes([bytes[16], bytes[17]]);
        Some(Facts { size: wide(0)?, internaldate: Date::new(wide(8)? as i64, zone), savedate: wide(18)? as i64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_read_back() {
        for (size, unix, zone, savedate) in [(0, 0, 0, 0), (u64::MAX, -1, -720, i64::MIN), (7, 1 << 40, 840, 1 << 50)] {
            let facts = Facts { size, internaldate: Date::new(unix, zone), savedate };
            assert_eq!(Facts::from_bytes(&facts.to_bytes()), Some(facts));
            assert_eq!(Facts::from_bytes(&facts.to_bytes()[1..]), None);
        }
    }
}
