//! The tools that bear Postfix's names: the program called through a symbolic link.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// A tool that is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Shows and changes parameters.
    Postconf,
}

/// The tool that `name` (the first word of the command line) stands for.
pub fn called_as(name: Option<&OsString>) -> Option<Tool> {
    match Path::new(name?).file_name()?.to_str()? {
        "postconf" => Some(Tool::Postconf),
        _ => None,
    }
}

impl Tool {
    /// Runs it; `arguments` are without the program's name.
    pub fn run(self, arguments: Vec<OsString>) -> ExitCode {
        let arguments: Vec<String> = arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
        match self {
            Tool::Postconf => {
                let code = config::postconf::run(&arguments, &mut std::io::stdout().lock(), &mut std::io::stderr().lock());
                ExitCode::from(u8::try_from(code).unwrap_or(1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_the_tool_it_is_named_after() {
        assert_eq!(called_as(Some(&"/usr/sbin/postconf".into())), Some(Tool::Postconf));
        assert_eq!(called_as(Some(&"./posthouse".into())), None);
        assert_eq!(called_as(None), None);
    }
}
