//! The tools that bear Postfix's names: the program called through a symbolic link.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::failure::{self, Code, Failure};

/// A tool that is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Shows and changes parameters.
    Postconf,
    /// One that will be.
    NotBuilt(&'static str),
}

/// The names of Postfix's other tools.
const NOT_BUILT: [&str; 8] = ["sendmail", "mailq", "newaliases", "postqueue", "postsuper", "postcat", "postmap", "postalias"];

/// The tool that `name` (the first word of the command line) stands for.
pub fn called_as(name: Option<&OsString>) -> Option<Tool> {
    match Path::new(name?).file_name()?.to_str()? {
        "postconf" => Some(Tool::Postconf),
        name => NOT_BUILT.into_iter().find(|known| *known == name).map(Tool::NotBuilt),
    }
}

impl Tool {
    /// Runs it; `arguments` are without the program's name.
    pub fn run(self, arguments: Vec<OsString>) -> ExitCode {
        let arguments: Vec<String> = arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
        match self {
            Tool::NotBuilt(name) => {
                failure::exit(Err(Failure::new(Code::Unavailable, name, "this tool is not built yet; the README's table tells what is")))
            }
            Tool::Postconf => {
                let arguments = with_directory(arguments);
                let code = config::postconf::run(&arguments, &mut std::io::stdout().lock(), &mut std::io::stderr().lock());
                ExitCode::from(u8::try_from(code).unwrap_or(1))
            }
        }
    }
}

/// `MAIL_CONFIG` names the directory when no `-c` does.
fn with_directory(arguments: Vec<String>) -> Vec<String> {
    let directory = std::env::var("MAIL_CONFIG").unwrap_or_else(|_| "/etc/posthouse".into());
    ["-c".into(), directory].into_iter().chain(arguments).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_the_tool_it_is_named_after() {
        assert_eq!(called_as(Some(&"/usr/sbin/postconf".into())), Some(Tool::Postconf));
        assert_eq!(called_as(Some(&"sendmail".into())), Some(Tool::NotBuilt("sendmail")));
        assert_eq!(called_as(Some(&"./posthouse".into())), None);
        assert_eq!(called_as(None), None);
    }
}
