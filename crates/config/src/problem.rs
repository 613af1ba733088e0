//! What is wrong with a configuration, said to the person who can mend it.

use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing behaves otherwise than written.
    Note,
    /// Something behaves otherwise than written, and nobody gains access by it.
    Warning,
    /// The server must not start like this.
    Error,
}

impl Severity {
    /// As it stands in `posthouse check --json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One finding: where, what, and what to do. The fields are those of `posthouse check --json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    /// A short word that does not change, for scripts: `unsupported`, `bad-value`, `syntax` …
    pub code: &'static str,
    /// The file it stands in; none if it comes from a default or the command line.
    pub file: Option<String>,
    /// The line of `file`, from 1.
    pub line: Option<u32>,
    /// Mostly the name of a parameter.
    pub subject: String,
    pub text: String,
    /// What to do; empty if there is nothing to advise.
    pub fix: String,
}

impl Problem {
    /// A finding without a place; add one by [`Problem::at`].
    pub fn new(severity: Severity, code: &'static str, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Problem { severity, code, file: None, line: None, subject: subject.into(), text: text.into(), fix: String::new() }
    }

    /// Says where it stands.
    pub fn at(mut self, file: impl Into<String>, line: u32) -> Self {
        self.file = Some(file.into());
        self.line = (line > 0).then_some(line);
        self
    }

    /// Says what to do.
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// True if the server must not start.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// `FILE, line N: subject: text; fix`, the parts that exist.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file}, line {line}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            _ => {}
        }
        if !self.subject.is_empty() {
            write!(f, "{}: ", self.subject)?;
        }
        f.write_str(&self.text)?;
        if !self.fix.is_empty() {
            write!(f, "; {}", self.fix)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_what_and_what_to_do() {
        let problem = Problem::new(Severity::Error, "bad-value", "soft_bounce", "\"maybe\" is not yes or no");
        assert_eq!(problem.to_string(), "soft_bounce: \"maybe\" is not yes or no");
        let problem = problem.at("/etc/posthouse/main.cf", 3).fix("write yes or no");
        assert_eq!(problem.to_string(), "/etc/posthouse/main.cf, line 3: soft_bounce: \"maybe\" is not yes or no; write yes or no");
    }
}
