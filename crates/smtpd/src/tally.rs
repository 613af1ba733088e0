//! What a session did, for the line that ends it in the log:
//! `disconnect from NAME[IP] ehlo=1 auth=0/1 mail=1 rcpt=1/2 data=1 quit=1 commands=5/7` (good/all where they differ).

use std::fmt;

/// Verbs in the order Postfix lists them.
const VERBS: [&str; 14] =
    ["HELO", "EHLO", "LHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "VRFY", "HELP", "QUIT", "UNKNOWN"];

#[derive(Clone, Default, Debug)]
pub struct Tally([Count; VERBS.len()]);

#[derive(Clone, Copy, Default, Debug)]
struct Count {
    good: u32,
    all: u32,
}

impl Tally {
    /// Counts a command that was answered. A verb it does not know counts as unknown.
    pub fn count(&mut self, verb: &str, good: bool) {
        let at = VERBS.iter().position(|known| *known == verb).unwrap_or(VERBS.len() - 1);
        if let Some(count) = self.0.get_mut(at) {
            count.all = count.all.saturating_add(1);
            count.good = count.good.saturating_add(u32::from(good));
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sum = Count::default();
        for (verb, count) in VERBS.iter().zip(&self.0).filter(|(_, count)| count.all > 0) {
            write!(f, " {}={count}", verb.to_ascii_lowercase())?;
            sum.good = sum.good.saturating_add(count.good);
            sum.all = sum.all.saturating_add(count.all);
        }
        write!(f, " commands={sum}")
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.good == self.all { write!(f, "{}", self.all) } else { write!(f, "{}/{}", self.good, self.all) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_pflogsumm_and_fail2ban_read_it() {
        let mut tally = Tally::default();
        assert_eq!(tally.to_string(), " commands=0");
        for (verb, good) in [("QUIT", true), ("EHLO", true), ("AUTH", false), ("RCPT", true), ("RCPT", false), ("ETRN", false)] {
            tally.count(verb, good);
        }
        assert_eq!(tally.to_string(), " ehlo=1 auth=0/1 rcpt=1/2 quit=1 unknown=0/1 commands=3/6");
    }
}
