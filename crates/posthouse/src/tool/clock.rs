//! The clock on the wall: what the tools print is local time, as Postfix's is.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mail::Date;

/// Seconds since 1970 as `$TZ` or `/etc/localtime` has them; UTC if neither says.
pub fn local(unix: i64) -> Date {
    let seconds = Timestamp::from_second(unix).map_or(0, |at| TimeZone::system().to_offset(at).seconds());
    Date::new(unix, i16::try_from(seconds / 60).unwrap_or_default())
}
