//! main.cf: any text is sound or explained; an edit is read back.

#![no_main]

use std::path::Path;

use config::edit::{self, Edit};
use config::source::Source;
use config::{Config, Outside};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let outside = Outside::nothing("host.example.test");
    if let Err(problems) = Config::new(Path::new("/etc/posthouse"), text, &outside) {
        assert!(problems.iter().any(config::Problem::is_error), "refused without a reason: {problems:?}");
        for problem in problems {
            assert!(!problem.to_string().is_empty());
        }
    }
    let value = || Edit::Set(vec![("mail_name".to_owned(), "Fuzz".to_owned())]);
    let once = edit::apply(text, &value());
    assert_eq!(edit::apply(&once.text, &value()).text, once.text, "the same edit twice");
    let _ = Source::parse("main.cf", &once.text);
});
