//! The tables of one parameter, asked in their order.

use super::{Read, Table, TableError};
use crate::problem::Problem;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Tables that one parameter lists. Cheap to clone; a table that several parameters name is read once.
#[derive(Clone, Default)]
pub struct Maps(Vec<Arc<Table>>);

/// Some tables hold passwords: none is ever printed.
impl fmt::Debug for Maps {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Maps({})", self.0.len())
    }
}

impl Maps {
    /// Of these tables.
    pub fn new(tables: Vec<Arc<Table>>) -> Maps {
        Maps(tables)
    }

    /// True if no table is listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a whole key leads to, in the first table that has it.
    pub fn get(&self, key: &str) -> Option<String> {
        self.0.iter().find_map(|table| table.get(key))
    }

    /// The same for a part of a key (`user`, `@domain`, `.parent`): patterns see whole keys only, as access(5) and its kin say.
    pub fn get_part(&self, key: &str) -> Option<String> {
        self.0.iter().filter(|table| !table.is_pattern()).find_map(|table| table.get(key))
    }
}

/// How a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    Rows,
    Aliases,
}

/// Opens tables, each once.
pub(crate) struct Library<'r> {
    read: Read<'r>,
    opened: HashMap<(String, Form), Arc<Table>>,
    /// What is wrong with rows and rules, which are left out.
    pub problems: Vec<Problem>,
}

impl<'r> Library<'r> {
    pub fn new(read: Read<'r>) -> Library<'r> {
        Library { read, opened: HashMap::new(), problems: Vec::new() }
    }

    /// `TYPE:NAME`.
    pub fn open(&mut self, spec: &str) -> Result<Arc<Table>, TableError> {
        self.open_as(spec, Form::Rows)
    }

    /// The same of a file in the form of aliases(5).
    pub fn open_aliases(&mut self, spec: &str) -> Result<Arc<Table>, TableError> {
        self.open_as(spec, Form::Aliases)
    }

    fn open_as(&mut self, spec: &str, form: Form) -> Result<Arc<Table>, TableError> {
        let key = (spec.to_owned(), form);
        if let Some(table) = self.opened.get(&key) {
            return Ok(table.clone());
        }
        let (table, problems) = match form {
            Form::Rows => Table::open(spec, self.read)?,
            Form::Aliases => Table::open_aliases(spec, self.read)?,
        };
        let table = Arc::new(table);
        self.problems.extend(problems);
        self.opened.insert(key, table.clone());
        Ok(table)
    }

    /// The text of a file.
    pub fn text(&self, path: &std::path::Path) -> Result<String, String> {
        (self.read)(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_table_that_has_a_key_counts_and_patterns_see_whole_keys() {
        let read = |path: &std::path::Path| match path.to_str() {
            Some("/r") => Ok("/^a@/ pattern\n/x/ pattern\n".to_owned()),
            _ => Err("no such file".to_owned()),
        };
        let mut library = Library::new(&read);
        let maps = Maps::new(["inline:{a@x=one}", "regexp:/r", "static:rest"].iter().map(|spec| library.open(spec).unwrap()).collect());
        assert_eq!((maps.get("a@x").as_deref(), maps.get("a@y").as_deref(), maps.get("b").as_deref()), (Some("one"), Some("pattern"), Some("rest")));
        assert_eq!((maps.get_part("a@y").as_deref(), Maps::default().get("a")), (Some("rest"), None));
        assert!(Arc::ptr_eq(&library.open("regexp:/r").unwrap(), &library.open("regexp:/r").unwrap()));
        assert!(library.open("hash:/none").is_err());
        assert_eq!(format!("{maps:?}"), "Maps(3)");
    }
}
