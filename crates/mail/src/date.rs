//! Dates of mail: an instant and the zone it was written in (RFC 5322 §3.3, RFC 9051 §9 `date-time`).
//!
//! The zone is kept, because SEARCH compares the day *as written*. Civil arithmetic is done here, in the proleptic Gregorian
//! calendar; every `i64` is a date: what lies outside the years 0–9999 is printed as the nearest that a date can say.

use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const DAY: i64 = 86_400;
/// Seconds of 0000-01-01T00:00:00 and 9999-12-31T23:59:59: what four digits of a year can say.
const PRINTABLE: (i64, i64) = (-62_167_219_200, 253_402_300_799);
/// Octets of a `Date:` that are looked at; a real one has forty.
const DATE_MAX: usize = 256;

/// An instant with the zone it is told in. Two dates are equal when both are; the order is the instant's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Date {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub unix: i64,
    /// Minutes east of UTC, within a day.
    pub offset_minutes: i16,
}

/// A date taken apart in its own zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Civil {
    year: i64,
    month: u8,
    day: u8,
    second_of_day: i64,
    weekday: usize,
}

impl Date {
    pub const fn new(unix: i64, offset_minutes: i16) -> Date {
        Date { unix, offset_minutes }
    }

    pub const fn utc(unix: i64) -> Date {
        Date { unix, offset_minutes: 0 }
    }

    /// `Tue, 24 Nov 2026 02:01:13 +0000`, as in a `Date:` field (RFC 5322 §3.3).
    pub fn rfc5322(self) -> String {
        let civil = self.civil();
        let (day, month) = (DAYS[civil.weekday], month_name(civil.month));
        format!("{day}, {} {month} {:04} {} {}", civil.day, civil.year, self.clock(), self.zone())
    }

    /// `Tue Nov  3 02:01:13 2026`, as asctime(3) writes it and the tools of the queue print it; without the zone.
    pub fn asctime(self) -> String {
        let civil = self.civil();
        let (day, month) = (DAYS[civil.weekday], month_name(civil.month));
        format!("{day} {month} {:>2} {} {:04}", civil.day, self.clock(), civil.year)
    }

    /// As [`rfc5322`](Date::rfc5322) with the day of the month two wide and UTC named, as Postfix writes trace fields:
    /// `Tue,  3 Nov 2026 02:01:13 +0000 (UTC)`.
    pub fn trace(self) -> String {
        let civil = self.civil();
        let (day, month) = (DAYS[civil.weekday], month_name(civil.month));
        let name = if self.offset_minutes == 0 { " (UTC)" } else { "" };
        format!("{day}, {:>2} {month} {:04} {} {}{name}", civil.day, civil.year, self.clock(), self.zone())
    }

    /// `24-Nov-2026 02:01:13 +0000`, the day two wide: IMAP's date-time without its quotes (RFC 9051 §9).
    pub fn imap(self) -> String {
        let civil = self.civil();
        format!("{:>2}-{}-{:04} {} {}", civil.day, month_name(civil.month), civil.year, self.clock(), self.zone())
    }

    /// Reads exactly what [`imap`](Date::imap) writes, months in any case.
    pub fn parse_imap(text: &str) -> Option<Date> {
        let bytes: &[u8; 26] = text.as_bytes().try_into().ok()?;
        let number = |from: usize, to: usize| -> Option<i64> {
            let digits = bytes.get(from..to)?;
            digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
        };
        let separators = [(2, b'-'), (6, b'-'), (11, b' '), (14, b':'), (17, b':'), (20, b' ')];
        if !separators.iter().all(|(at, byte)| bytes[*at] == *byte) {
            return None;
        }
        let day = if bytes[0] == b' ' { number(1, 2)? } else { number(0, 2)? };
        let month = 1 + MONTHS.iter().position(|month| month.as_bytes().eq_ignore_ascii_case(&bytes[3..6]))? as i64;
        let (hour, minute, second) = (number(12, 14)?, number(15, 17)?, number(18, 20)?);
        let zone = number(22, 24)? * 60 + number(24, 26)?;
        let zone = match bytes[21] {
            b'+' => zone,
            b'-' => -zone,
            _ => return None,
        };
        (number(24, 26)? < 60).then(|| from_civil([number(7, 11)?, month, day], [hour, minute, second], zone)).flatten()
    }

    /// Reads the value of a `Date:` field, also the old forms (two-digit years, named zones, comments); no zone is UTC.
    pub fn parse_rfc5322(value: &[u8]) -> Option<Date> {
        let mut line: Vec<u8> = crate::header::unfold(value.get(..DATE_MAX).unwrap_or(value));
        let length = line.len();
        for zone in [&b"\n"[..], b" +0000\n"] {
            line.truncate(length);
            line.extend_from_slice(zone);
            if let HeaderValue::DateTime(date) = MessageStream::new(&line).parse_date() {
                let zone = i64::from(date.tz_hour) * 60 + i64::from(date.tz_minute);
                let zone = if date.tz_before_gmt { -zone } else { zone };
                let day = [date.year.into(), date.month.into(), date.day.into()];
                return from_civil(day, [date.hour.into(), date.minute.into(), date.second.into()], zone);
            }
        }
        None
    }

    /// Year, month (1–12) and day in its own zone: what SEARCH's ON and SENTON compare.
    pub fn civil_day(self) -> (i32, u8, u8) {
        let civil = self.civil();
        (civil.year as i32, civil.month, civil.day)
    }

    fn local(self) -> i64 {
        self.unix.saturating_add(i64::from(self.offset_minutes) * 60).clamp(PRINTABLE.0, PRINTABLE.1)
    }

    fn civil(self) -> Civil {
        let local = self.local();
        let days = local.div_euclid(DAY);
        // Years begin in March here, so that the leap day is the last of its year; 719,468 days from 0000-03-01 to 1970.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: month as u8,
            day: (day_of_year - (153 * from_march + 2) / 5 + 1) as u8,
            second_of_day: local.rem_euclid(DAY),
            weekday: (days + 4).rem_euclid(7) as usize,
        }
    }

    fn clock(self) -> String {
        let second = self.civil().second_of_day;
        format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }

    fn zone(self) -> String {
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let minutes = self.offset_minutes.unsigned_abs();
        format!("{sign}{:02}{:02}", (minutes / 60).min(99), minutes % 60)
    }
}

fn month_name(month: u8) -> &'static str {
    MONTHS.get(usize::from(month).wrapping_sub(1)).copied().unwrap_or("Jan")
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
pub fn days_from_civil(year: i32, month: u8, day: u8) -> i64 {
    let (month, day) = (i64::from(month), i64::from(day));
    let year = i64::from(year) - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// `None` for a day, time or zone that does not exist; a leap second is the second before it.
fn from_civil([year, month, day]: [i64; 3], [hour, minute, second]: [i64; 3], zone: i64) -> Option<Date> {
    if hour > 23 || minute > 59 || second > 60 || !(0..=9999).contains(&year) {
        return None;
    }
    let (year, month, day) = (year as i32, u8::try_from(month).ok()?, u8::try_from(day).ok()?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let local = days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second.min(59);
    let offset_minutes = i16::try_from(zone).ok().filter(|zone| zone.abs() < 24 * 60)?;
    Some(Date { unix: local - zone * 60, offset_minutes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn printed() {
        let date = Date::utc(1_795_485_673);
        assert_eq!(date.rfc5322(), "Tue, 24 Nov 2026 02:01:13 +0000");
        assert_eq!(date.imap(), "24-Nov-2026 02:01:13 +0000");
        let date = Date::new(1_793_671_273, -330);
        assert_eq!(date.rfc5322(), "Mon, 2 Nov 2026 20:31:13 -0530");
        assert_eq!(date.imap(), " 2-Nov-2026 20:31:13 -0530");
        assert_eq!(date.civil_day(), (2026, 11, 2));
        assert_eq!(Date::utc(1_793_671_273).trace(), "Tue,  3 Nov 2026 02:01:13 +0000 (UTC)");
        assert_eq!(Date::utc(1_793_671_273).asctime(), "Tue Nov  3 02:01:13 2026");
        assert_eq!(Date::utc(951_782_400).imap(), "29-Feb-2000 00:00:00 +0000");
        assert_eq!(Date::utc(-1).imap(), "31-Dec-1969 23:59:59 +0000");
        assert_eq!(Date::new(i64::MAX, i16::MAX).imap(), "31-Dec-9999 23:59:59 +9907");
        assert_eq!(Date::new(i64::MIN, i16::MIN).civil_day(), (0, 1, 1));
    }

    #[test]
    fn imap_dates() {
        assert_eq!(Date::parse_imap(" 1-feb-2024 00:00:00 +0100"), Some(Date::new(1_706_742_000, 60)));
        assert_eq!(Date::parse_imap("01-Feb-2024 00:00:00 +0000"), Some(Date::utc(1_706_745_600)));
        for wrong in [
            "", "1-Feb-2024 00:00:00 +0000", "30-Feb-2024 00:00:00 +0000", "29-Feb-2023 00:00:00 +0000", " 0-Feb-2024 00:00:00 +0000",
            "01-Feb-2024 24:00:00 +0000", "01-Feb-2024 00:60:00 +0000", "01-Feb-2024 00:00:00 0000 ", "01-Foo-2024 00:00:00 +0000",
            "01-Feb-2024 00:00:00 +0060", "01-Feb-2024 00:00:00 -2400", "01-Feb-2024T00:00:00 +0000", "+1-Feb-2024 00:00:00 +0000", "01-Feb-2024 00:00:00 +00é0",
        ] {
            assert_eq!(Date::parse_imap(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn dates_of_messages() {
        for (text, unix, zone) in [
            ("Tue, 24 Nov 2026 02:01:13 +0000", 1_795_485_673, 0),
            (" 24 Nov 2026 02:01:13 -0130 (some zone)", 1_795_491_073, -90),
            ("Tue, 24 Nov 2026\r\n 02:01:13 +0100", 1_795_482_073, 60),
            ("Tue, 24 Nov 2026 02:01 +0000", 1_795_485_660, 0),
            ("24 Nov 26 02:01:13 GMT", 1_795_485_673, 0),
            ("24 Nov 1997 02:01:13 EST", 880_354_873, -300),
            ("Tue, 24 Nov 2026 02:01:13", 1_795_485_673, 0),
        ] {
            assert_eq!(Date::parse_rfc5322(text.as_bytes()), Some(Date::new(unix, zone)), "{text}");
        }
        for wrong in ["", "yesterday", "31 Feb 2026 00:00:00 +0000", "24 Nov 2026 99:00:00 +0000", ";;;;", "((((((("] {
            assert_eq!(Date::parse_rfc5322(wrong.as_bytes()), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn imap_round_trip(unix in PRINTABLE.0 + DAY..PRINTABLE.1 - DAY, zone in -1439i16..1440) {
            let date = Date::new(unix, zone);
            prop_assert_eq!(Date::parse_imap(&date.imap()), Some(date));
        }

        #[test]
        fn rfc5322_round_trip(unix in 0i64..4_000_000_000, zone in -719i16..720) {
            let date = Date::new(unix, zone);
            prop_assert_eq!(Date::parse_rfc5322(date.rfc5322().as_bytes()), Some(date));
            prop_assert_eq!(Date::parse_rfc5322(date.trace().as_bytes()), Some(date));
        }

        #[test]
        fn the_calendar_agrees_with_itself(unix in any::<i64>(), zone in any::<i16>()) {
            let date = Date::new(unix, zone);
            let (year, month, day) = date.civil_day();
            prop_assert_eq!(days_from_civil(year, month, day), date.local().div_euclid(DAY));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[ 0-9A-Za-z:,;+()\\\\-]{0,60}") {
            let _ = Date::parse_rfc5322(&bytes);
            let _ = Date::parse_rfc5322(text.as_bytes());
            let _ = Date::parse_imap(&text);
        }
    }
}
