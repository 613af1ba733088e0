//! The tools that bear Postfix's names: the program called through a symbolic link.
//!
//! They say what Postfix's say, in its formats, with its exit codes (its mail_queue tools end with sysexits.h's codes, postconf
//! and postcat with 1). They work with the server up or down: both meet in the store. Where Postfix wants root, here
//! whoever may open the store may do it. `sendmail` alone is for everybody: it opens nothing.

mod clock;
mod options;
pub mod postcat;
mod postmap;
pub mod postqueue;
mod postsuper;
pub mod queued;
mod sendmail;

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use postmap::Form;

use config::raw::Raw;
use config::source::Source;
use config::file;

use crate::failure::Failure;

/// A tool that is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Lists the queue, as `postqueue -p`.
    Mailq,
    /// Checks the tables of aliases.
    Newaliases,
    /// Looks into a table of aliases.
    Postalias,
    /// Shows a queued message.
    Postcat,
    /// Shows and changes parameters.
    Postconf,
    /// Looks into a table.
    Postmap,
    /// Lists the queue, and has it tried now.
    Postqueue,
    /// Deletes, holds, releases and requeues.
    Postsuper,
    /// Takes mail in from the programs of this machine.
    Sendmail,
}

/// The tool that `name` (the first word of the command line) stands for.
pub fn called_as(name: Option<&OsString>) -> Option<Tool> {
    match Path::new(name?).file_name()?.to_str()? {
        "mailq" => Some(Tool::Mailq),
        "newaliases" => Some(Tool::Newaliases),
        "postalias" => Some(Tool::Postalias),
        "postcat" => Some(Tool::Postcat),
        "postconf" => Some(Tool::Postconf),
        "postmap" => Some(Tool::Postmap),
        "postqueue" => Some(Tool::Postqueue),
        "postsuper" => Some(Tool::Postsuper),
        "sendmail" => Some(Tool::Sendmail),
        _ => None,
    }
}

impl Tool {
    /// Runs it; `arguments` are without the program's name.
    pub fn run(self, arguments: Vec<OsString>) -> ExitCode {
        let arguments: Vec<String> = arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
        match self {
            Tool::Postconf => {
                let arguments: Vec<String> = ["-c".into(), directory()].into_iter().chain(arguments).collect();
                let code = config::postconf::run(&arguments, &mut std::io::stdout().lock(), &mut std::io::stderr().lock());
                ExitCode::from(u8::try_from(code).unwrap_or(1))
            }
            Tool::Mailq => end("mailq", sendmail::run("mailq", &arguments)),
            Tool::Newaliases => end("newaliases", sendmail::run("newaliases", &arguments)),
            Tool::Postalias => found("postalias", postmap::run(Form::Alias, &arguments)),
            Tool::Postmap => found("postmap", postmap::run(Form::Map, &arguments)),
            Tool::Postcat => end("postcat", postcat::run(&arguments)),
            Tool::Postqueue => end("postqueue", postqueue::run(&arguments)),
            Tool::Sendmail => end("sendmail", sendmail::run("sendmail", &arguments)),
            Tool::Postsuper => end("postsuper", postsuper::run(&arguments)),
        }
    }
}

/// `MAIL_CONFIG` names the directory when no `-c` does.
fn directory() -> String {
    std::env::var("MAIL_CONFIG").unwrap_or_else(|_| "/etc/posthouse".into())
}

/// The expanded value of a parameter, whether this program obeys it or not.
fn parameter(directory: &str, name: &str) -> Result<String, String> {
    let path = Path::new(directory).join("main.cf");
    let text = file::read(&path).map_err(|error| format!("open {}: {error}", path.display()))?;
    let source = Source::parse(&path.display().to_string(), &text);
    let raw = Raw { directory: directory.to_owned(), source, overrides: Vec::new(), machine: file::this_machine() };
    raw.expanded(name).map(|expanded| expanded.text).map_err(|error| error.to_string())
}

/// Ends a tool: `TOOL: fatal: TEXT`.
#[derive(Debug, PartialEq, Eq)]
struct Fatal {
    code: u8,
    text: String,
}

impl Fatal {
    fn new(code: u8, text: impl fmt::Display) -> Fatal {
        Fatal { code, text: text.to_string() }
    }
}

impl From<Failure> for Fatal {
    fn from(failure: Failure) -> Fatal {
        Fatal::new(failure.code() as u8, failure.said())
    }
}

/// Ends a tool that looks for something: 1, and no word, if it is not there.
fn found(name: &str, result: Result<bool, Fatal>) -> ExitCode {
    match result {
        Ok(false) => ExitCode::from(1),
        other => end(name, other.map(drop)),
    }
}

fn end(name: &str, result: Result<(), Fatal>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fatal { code, text }) => {
            eprintln!("{name}: fatal: {text}");
            ExitCode::from(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_the_tool_it_is_named_after() {
        assert_eq!(called_as(Some(&"/usr/sbin/postconf".into())), Some(Tool::Postconf));
        assert_eq!(called_as(Some(&"mailq".into())), Some(Tool::Mailq));
        assert_eq!(called_as(Some(&"sendmail".into())), Some(Tool::Sendmail));
        assert_eq!(called_as(Some(&"./posthouse".into())), None);
        assert_eq!(called_as(None), None);
    }
}
