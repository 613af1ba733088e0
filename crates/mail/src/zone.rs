//! A time zone: how far a clock on the wall is from UTC at an instant. Read from what the system has: a file (TZif, RFC 9636), or the
//! rule that POSIX has for the variable TZ.
//!
//! ```text
//! rule   = name offset [ name [ offset ] "," change "," change ]          CET-1CEST,M3.5.0,M10.5.0/3
//! change = ( "M" month "." week "." day / "J" day / day ) [ "/" time ]
//! ```
//! Leap seconds are nobody's. A file that can't be read is none.

use crate::Date;
use crate::date::days_from_civil;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Octets of a file's header, and of the counts in it.
const HEADER: usize = 44;

/// When local time is what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// From these instants on, so many seconds east of UTC.
    changes: Vec<(i64, i64)>,
    /// Before all of them.
    first: i64,
    /// After all of them.
    rule: Option<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// Seconds east of UTC.
    standard: i64,
    summer: Option<Summer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Summer {
    offset: i64,
    begins: Change,
    ends: Change,
}

/// A day of each year, and the seconds of it by the clock that ends then.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    day: Day,
    time: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Day {
    /// The week'th (5: last) such weekday of the month.
    Month { month: u8, week: i64, weekday: i64 },
    /// From 1; the 29th of February is never counted.
    Julian(i64),
    /// From 0; it is.
    Plain(i64),
}

impl Zone {
    /// From a file; `None` if it is none.
    pub fn parse(file: &[u8]) -> Option<Zone> {
        let version = *file.get(4)?;
        let first = Block::read(file, 4)?;
        if version < b'2' {
            return first.zone(None);
        }
        let rest = file.get(first.end..)?;
        let second = Block::read(rest, 8)?;
        let footer = rest.get(second.end..)?.strip_prefix(b"\n")?;
        let rule = footer.iter().position(|byte| *byte == b'\n').and_then(|end| std::str::from_utf8(footer.get(..end)?).ok());
        second.zone(rule.filter(|rule| !rule.is_empty()).map(Rule::parse)?)
    }

    /// From the value of TZ; `None` if it is no rule.
    pub fn of_rule(text: &str) -> Option<Zone> {
        Rule::parse(text).map(|rule| Zone { rule: Some(rule), ..Zone::default() })
    }

    /// The instant as a clock there shows it.
    pub fn at(&self, unix: i64) -> Date {
        let place = self.changes.partition_point(|(from, _)| *from <= unix);
        let seconds = match (&self.rule, place.checked_sub(1).and_then(|last| self.changes.get(last))) {
            (Some(rule), _) if place == self.changes.len() => rule.offset(unix),
            (_, Some((_, offset))) => *offset,
            (_, None) => self.first,
        };
        Date::new(unix, i16::try_from(seconds.div_euclid(60)).unwrap_or(0))
    }
}

/// One of the two blocks of a file; times of `width` octets.
struct Block<'f> {
    times: &'f [u8],
    kinds: &'f [u8],
    types: &'f [u8],
    width: usize,
    end: usize,
}

impl<'f> Block<'f> {
    fn read(file: &'f [u8], width: usize) -> Option<Block<'f>> {
        if !file.starts_with(b"TZif") {
            return None;
        }
        let count = |n: usize| file.get(20 + 4 * n..24 + 4 * n).and_then(|octets| octets.try_into().ok()).map(u32::from_be_bytes).map(|count| count as usize);
        let [utc, standard, leaps, times, types, names] = [count(0)?, count(1)?, count(2)?, count(3)?, count(4)?, count(5)?];
        let mut at = HEADER;
        let mut take = |octets: Option<usize>| {
            let (from, to) = (at, at.checked_add(octets?)?);
            at = to;
            file.get(from..to)
        };
        let (when, kinds, types) = (take(times.checked_mul(width))?, take(Some(times))?, take(types.checked_mul(6))?);
        let _rest = take(names.checked_add(leaps.checked_mul(width + 4)?)?.checked_add(standard)?.checked_add(utc))?;
        Some(Block { times: when, kinds, types, width, end: at })
    }

    fn zone(&self, rule: Option<Rule>) -> Option<Zone> {
        let offset = |kind: usize| self.types.get(6 * kind..6 * kind + 4).and_then(|octets| octets.try_into().ok()).map(i32::from_be_bytes).map(i64::from);
        let time = |octets: &[u8]| match self.width {
            4 => octets.try_into().ok().map(i32::from_be_bytes).map(i64::from),
            _ => octets.try_into().ok().map(i64::from_be_bytes),
        };
        let changes = self.times.chunks_exact(self.width).zip(self.kinds).map(|(octets, kind)| Some((time(octets)?, offset(usize::from(*kind))?)));
        Some(Zone { changes: changes.collect::<Option<_>>()?, first: offset(0)?, rule })
    }
}

impl Rule {
    fn parse(text: &str) -> Option<Rule> {
        let rest = name(text)?;
        let (west, rest) = time(rest)?;
        let standard = -west;
        if rest.is_empty() {
            return Some(Rule { standard, summer: None });
        }
        let rest = name(rest)?;
        let (offset, rest) = match time(rest) {
            Some((west, rest)) => (-west, rest),
            None => (standard + 3600, rest),
        };
        let (begins, rest) = Change::parse(rest.strip_prefix(',')?)?;
        let (ends, rest) = Change::parse(rest.strip_prefix(',')?)?;
        rest.is_empty().then_some(Rule { standard, summer: Some(Summer { offset, begins, ends }) })
    }

    fn offset(&self, unix: i64) -> i64 {
        let Some(summer) = &self.summer else { return self.standard };
        let (year, ..) = Date::utc(unix.saturating_add(self.standard)).civil_day();
        let begins = summer.begins.at(year) - self.standard;
        let ends = summer.ends.at(year) - summer.offset;
        let is_summer = if begins < ends { (begins..ends).contains(&unix) } else { !(ends..begins).contains(&unix) };
        if is_summer { summer.offset } else { self.standard }
    }
}

impl Change {
    fn parse(text: &str) -> Option<(Change, &str)> {
        let (day, rest) = match text.as_bytes().first()? {
            b'M' => {
                let (month, rest) = number(text.get(1..)?)?;
                let (week, rest) = number(rest.strip_prefix('.')?)?;
                let (weekday, rest) = number(rest.strip_prefix('.')?)?;
                let right = (1..=12).contains(&month) && (1..=5).contains(&week) && weekday < 7;
                (right.then_some(Day::Month { month: u8::try_from(month).ok()?, week, weekday })?, rest)
            }
            b'J' => number(text.get(1..)?).filter(|(day, _)| (1..=365).contains(day)).map(|(day, rest)| (Day::Julian(day), rest))?,
            _ => number(text).filter(|(day, _)| *day <= 365).map(|(day, rest)| (Day::Plain(day), rest))?,
        };
        match rest.strip_prefix('/') {
            Some(rest) => time(rest).map(|(time, rest)| (Change { day, time }, rest)),
            None => Some((Change { day, time: 2 * 3600 }, rest)),
        }
    }

    /// By the clock of that year, as if it were UTC.
    fn at(&self, year: i32) -> i64 {
        let first = days_from_civil(year, 1, 1);
        let leap = days_from_civil(year, 3, 1) - first == 60;
        let day = match self.day {
            Day::Plain(day) => first + day,
            Day::Julian(day) => first + day - 1 + i64::from(leap && day >= 60),
            Day::Month { month, week, weekday } => {
                let begin = days_from_civil(year, month, 1);
                let end = if month == 12 { days_from_civil(year + 1, 1, 1) } else { days_from_civil(year, month + 1, 1) };
                // 1970-01-01 was a Thursday
                let day = begin + (weekday - (begin + 4)).rem_euclid(7) + 7 * (week - 1);
                if day < end { day } else { day - 7 }
            }
        };
        day * DAY + self.time
    }
}

/// What follows a name of letters, or of anything in `<…>`.
fn name(text: &str) -> Option<&str> {
    match text.strip_prefix('<') {
        Some(rest) => rest.split_once('>').map(|(_, rest)| rest),
        None => {
            let rest = text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            (text.len() - rest.len() >= 3).then_some(rest)
        }
    }
}

/// `[+-]hh[:mm[:ss]]` in seconds.
fn time(text: &str) -> Option<(i64, &str)> {
    let (sign, text) = match text.as_bytes().first()? {
        b'-' => (-1, text.get(1..)?),
        b'+' => (1, text.get(1..)?),
        _ => (1, text),
    };
    let (hours, mut rest) = number(text).filter(|(hours, _)| *hours <= 167)?;
    let mut seconds = hours * 3600;
    for unit in [60, 1] {
        let Some(after) = rest.strip_prefix(':') else { break };
        let (value, after) = number(after).filter(|(value, _)| *value < 60)?;
        seconds += value * unit;
        rest = after;
    }
    Some((sign * seconds, rest))
}

/// At most three digits: nothing here has more.
fn number(text: &str) -> Option<(i64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits).filter(|_| (1..=3).contains(&digits))?;
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rules_of_posix() {
        for (rule, unix, want) in [
            ("UTC0", 1_793_671_273, "Tue Nov  3 02:01:13 2026"),
            ("CST-8", 1_793_671_273, "Tue Nov  3 10:01:13 2026"),
            ("<+0545>-5:45", 1_793_671_273, "Tue Nov  3 07:46:13 2026"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_793_671_273, "Tue Nov  3 03:01:13 2026"),
            // 2026-03-29 01:00:00 UTC and the second before
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_774_745_999, "Sun Mar 29 01:59:59 2026"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_774_746_000, "Sun Mar 29 03:00:00 2026"),
            // 2026-10-25 01:00:00 UTC and the second before
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_792_889_999, "Sun Oct 25 02:59:59 2026"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_792_890_000, "Sun Oct 25 02:00:00 2026"),
            // south of the equator: January is summer
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_767_225_600, "Thu Jan  1 11:00:00 2026"),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_782_864_000, "Wed Jul  1 10:00:00 2026"),
            ("IST-2IDT,J60/2,J300", 1_772_323_199, "Sun Mar  1 01:59:59 2026"),
            ("IST-2IDT,J60/2,J300", 1_772_323_200, "Sun Mar  1 03:00:00 2026"),
        ] {
            assert_eq!(Zone::of_rule(rule).unwrap_or_else(|| panic!("{rule}")).at(unix).asctime(), want, "{rule} {unix}");
        }
        for wrong in ["", "X", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "UTC0x", "Europe/Berlin"] {
            assert_eq!(Zone::of_rule(wrong), None, "{wrong}");
        }
    }

    /// A file of version 2: an hour, from 1000 on two, and then by the rule.
    fn file() -> Vec<u8> {
        let mut file = Vec::new();
        for width in [4usize, 8] {
            file.extend_from_slice(b"TZif2");
            file.extend_from_slice(&[0; 15]);
            for count in [0u32, 0, 0, 1, 2, 8] {
                file.extend_from_slice(&count.to_be_bytes());
            }
            file.extend_from_slice(&1000i64.to_be_bytes()[8 - width..]);
            file.push(1);
            for (offset, place) in [(3600i32, 0u8), (7200, 4)] {
                file.extend_from_slice(&offset.to_be_bytes());
                file.extend_from_slice(&[0, place]);
            }
            file.extend_from_slice(b"ONE\0TWO\0");
        }
        file.extend_from_slice(b"\nTHR-3\n");
        file
    }

    #[test]
    fn files_and_their_footer() {
        let zone = Zone::parse(&file()).expect("a zone");
        assert_eq!((zone.at(999).offset_minutes, zone.at(1000).offset_minutes), (60, 180));
        assert_eq!(Zone { rule: None, ..zone }.at(1000).offset_minutes, 120);
        for cut in 0..file().len() {
            let _ = Zone::parse(&file()[..cut]);
        }
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..200), at in any::<i64>(), rule in "[A-Z]{3}-?[0-9]{1,2}[A-Z]{3},[MJ0-9./]{1,9},[MJ0-9./]{1,9}") {
            let mut file = b"TZif2".to_vec();
            file.extend(octets);
            if let Some(zone) = Zone::parse(&file) {
                let _ = zone.at(at);
            }
            if let Some(zone) = Zone::of_rule(&rule) {
                let _ = zone.at(at).asctime();
            }
        }
    }
}
