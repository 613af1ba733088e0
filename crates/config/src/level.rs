//! `compatibility_level`: `major[.minor[.patch]]`, as three numbers that compare in order.

/// A level; the default is 0, a main.cf from before 2015.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u32, u32, u32);

impl Level {
    /// Level 3.7, which `setup` writes.
    pub const V3_7: Level = Level(3, 7, 0);

    /// Reads `3`, `3.6` or `3.6.1`; anything else is malformed.
    pub fn parse(text: &str) -> Option<Level> {
        let mut parts = [0u32; 3];
        for (at, part) in text.trim_ascii().split('.').enumerate() {
            let slot = parts.get_mut(at)?;
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            *slot = part.parse().ok()?;
        }
        Some(Level(parts[0], parts[1], parts[2]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_compare_by_number_not_by_text() {
        for (a, b) in [("0", "1"), ("2", "3.6"), ("3.6", "3.11"), ("3.6.5", "3.6.6"), ("3.9", "3.10.0")] {
            assert!(Level::parse(a) < Level::parse(b), "{a} < {b}");
        }
        assert_eq!(Level::parse("3.6"), Level::parse("3.6.0"));
        for bad in ["", "x", "3.", ".3", "3.6.1.2", "-1", "3,6", "99999999999", "+1"] {
            assert_eq!(Level::parse(bad), None, "{bad:?}");
        }
    }
}
