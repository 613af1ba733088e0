//! Enhanced status codes (RFC 3463).

use std::fmt;

/// Class, subject, detail: `5.1.1`. The class is 2 (success), 4 (try again) or 5 (never).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Status(pub u8, pub u16, pub u16);

impl Status {
    /// `None` unless it is a class 2, 4 or 5 and two numbers of at most three digits (RFC 3463 §2).
    pub fn parse(text: &str) -> Option<Status> {
        let mut parts = text.split('.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        let number = |digits: &str| {
            let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse::<u16>().ok()).flatten()
        };
        let class = match class {
            "2" => 2,
            "4" => 4,
            "5" => 5,
            _ => return None,
        };
        let status = Status(class, number(subject)?, number(detail)?);
        parts.next().is_none().then_some(status)
    }

    /// Whether trying again later may help.
    pub fn is_transient(self) -> bool {
        self.0 == 4
    }

    /// Whether it will never work.
    pub fn is_permanent(self) -> bool {
        self.0 == 5
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        assert_eq!(Status::parse("5.1.1"), Some(Status(5, 1, 1)));
        assert_eq!(Status(4, 4, 999).to_string(), "4.4.999");
        for wrong in ["", "5", "5.1", "5.1.1.1", "3.1.1", "5.1.", "5.1.1000", "5.+1.1", "5.1.1 x"] {
            assert_eq!(Status::parse(wrong), None, "{wrong}");
        }
    }
}
