//! Names of queued messages: never used twice, and readable by the tools that read Postfix's logs.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{SystemTime, UNIX_EPOCH};

/// 2020-01-01 in milliseconds since 1970: counted from here, 41 bits of milliseconds last until 2089.
const EPOCH: i64 = 1_577_836_800_000;

/// Bits below the milliseconds.
const LOW_BITS: u32 = 22;

/// Digits and upper-case consonants: 31 letters, none of which spells a word; log readers take `[A-Z\d]+`.
const LETTERS: &[u8; 31] = b"0123456789BCDFGHJKLMNPQRSTVWXYZ";

/// Letters of an id as text: 31^13 is just over 2^63, so all have one length.
const TEXT_LEN: usize = 13;

/// Names one accepted message, in logs, in the `Received` field, in the 250, in the tables. 63 bits: milliseconds
/// since 2020, then 22 bits that begin at random in each millisecond and count up, so that two processes do not meet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(i64);

/// The last id of this process.
static LAST: Mutex<i64> = Mutex::new(0);

impl QueueId {
    /// A new id, greater than every one this process gave before, even if the clock goes back.
    pub fn generate(now: SystemTime) -> QueueId {
        let millis = now.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        // half of the low bits is room to count in
        let fresh = first_of(millis) | i64::from(rand::random::<u32>() >> (32 - LOW_BITS + 1));
        *last = fresh.max(last.saturating_add(1));
        QueueId(*last)
    }

    /// Whether it was given before a time (milliseconds since 1970).
    pub fn is_before(self, millis: i64) -> bool {
        self.0 < first_of(millis)
    }

    /// As a column has it.
    pub fn from_i64(value: i64) -> Option<QueueId> {
        (value >= 0).then_some(QueueId(value))
    }

    /// For a column, and for `db::Key::Queued`.
    pub fn get(self) -> i64 {
        self.0
    }

    /// Reads what [`Display`](fmt::Display) writes, in any case.
    pub fn parse(text: &str) -> Option<QueueId> {
        if text.len() != TEXT_LEN {
            return None;
        }
        let mut value = 0i64;
        for letter in text.bytes() {
            let digit = LETTERS.iter().position(|known| *known == letter.to_ascii_uppercase())?;
            value = value.checked_mul(LETTERS.len() as i64)?.checked_add(digit as i64)?;
        }
        Some(QueueId(value))
    }
}

/// The smallest id of a millisecond (since 1970).
fn first_of(millis: i64) -> i64 {
    let since = millis.saturating_sub(EPOCH).clamp(0, i64::MAX >> LOW_BITS);
    since << LOW_BITS
}

impl fmt::Display for QueueId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'0'; TEXT_LEN];
        let mut rest = self.0;
        for place in text.iter_mut().rev() {
            *place = LETTERS[(rest % LETTERS.len() as i64).unsigned_abs() as usize];
            rest /= LETTERS.len() as i64;
        }
        out.write_str(&String::from_utf8_lossy(&text))
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_id_reads_back() {
        for value in [0, 1, 30, 31, 1 << 40, i64::MAX] {
            let id = QueueId(value);
            assert_eq!(QueueId::parse(&id.to_string()), Some(id));
            assert_eq!(QueueId::parse(&id.to_string().to_lowercase()), Some(id));
            assert_eq!(id.to_string().len(), TEXT_LEN);
        }
        for text in ["", "0", "000000000000A", "00000000000000", "ZZZZZZZZZZZZZ", "00000000000é"] {
            assert_eq!(QueueId::parse(text), None, "{text}");
        }
        assert_eq!(QueueId::from_i64(-1), None);
    }

    #[test]
    fn ids_only_grow_whatever_the_clock_does() {
        let now = UNIX_EPOCH + Duration::from_millis(1_795_486_185_000);
        let mut last = QueueId::generate(now);
        for back in [0, 0, 0, 1, 3_600, 0, u64::from(u32::MAX)] {
            for _ in 0..1_000 {
                let id = QueueId::generate(now.checked_sub(Duration::from_secs(back)).unwrap_or(UNIX_EPOCH));
                assert!(id > last && id.to_string() > last.to_string(), "{id} after {last}");
                last = id;
            }
        }
        for far in [0, EPOCH, 3_700_000_000_000, i64::MAX] {
            assert!(first_of(far) >= 0, "{far}");
        }
    }
}
