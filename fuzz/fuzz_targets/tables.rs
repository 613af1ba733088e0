//! Lookup tables: any text is read, and any key looked for in it, of every type that is made of text.

#![no_main]

use config::maps::{Table, aliases};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str, &str)| {
    let (kind, text, key) = input;
    let kind = ["hash:/t", "cidr:/t", "regexp:/t", "pcre:/t", "pipemap:{regexp:/t, hash:/t}"][usize::from(kind % 5)];
    let (table, problems) = Table::open(kind, &|_| Ok(text.to_owned())).expect("text is never refused as a whole");
    for problem in problems {
        assert!(!problem.to_string().is_empty());
    }
    let _ = table.get(key);
    for row in table.rows().unwrap_or_default() {
        assert!(table.get(&row.key).is_some(), "a row that is not found: {row:?}");
    }
    let (rows, _) = aliases::parse("a", text, true);
    assert!(rows.iter().all(|row| !row.key.is_empty() && !row.value.is_empty()));
    // What stands in braces is a table of its own.
    let _ = Table::open(text, &|_| Ok(String::new()));
});
