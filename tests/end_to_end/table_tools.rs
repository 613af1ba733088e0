//! `postmap`, `postalias`, `newaliases`: a table is its text.

use house_tests::program::Configured;

#[test]
fn tables_are_looked_into_listed_and_checked() {
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let table = file("t", "Foo  bar\n  cont\n\"a b@x\" val one\nempty\nfoo again\n");
    let regexp = file("r", "/^(.*)@old\\.test$/ $1@new.test\n");
    let cidr = file("c", "192.0.2.0/24 REJECT\n");
    let aliases = file("aliases", "Postmaster: root\nroot: alice, bob\nnoval\n");
    configured.set(&format!("alias_database = hash:{aliases}"));
    let warned = format!("postmap: warning: {table}, line 4: expected format: key whitespace value\npostmap: warning: {table}, line 5: duplicate entry: \"foo\"\n");
    let no_pair = format!(": warning: {aliases}, line 3: need name:value pair\n");
    let cases = [
        ("postmap", vec![format!("hash:{table}")], "", 0, "".to_owned(), warned.clone()),
        ("postmap", vec![table.clone()], "", 0, "".into(), warned.clone()),
        ("postmap", vec!["-q".into(), "FOO".into(), format!("lmdb:{table}")], "", 0, "bar  cont\n".into(), warned.clone()),
        ("postmap", vec!["-fq".into(), "FOO".into(), format!("texthash:{table}")], "", 1, "".into(), format!("postmap: warning: {table}, line 4: expected format: key whitespace value\n")),
        ("postmap", vec!["-q".into(), "nobody".into(), format!("cidr:{cidr}")], "", 1, "".into(), "".into()),
        ("postmap", vec!["-q".into(), "-".into(), format!("cidr:{cidr}")], "192.0.2.7\n198.51.100.1\n", 0, "192.0.2.7\tREJECT\n".into(), "".into()),
        ("postmap", vec!["-q".into(), "joe@OLD.test".into(), format!("pcre:{regexp}")], "", 0, "joe@new.test\n".into(), "".into()),
        ("postmap", vec!["-s".into(), format!("hash:{table}")], "", 0, "foo\tbar  cont\n\"a b@x\"\tval one\n".into(), warned.clone()),
        ("postmap", vec![format!("regexp:{regexp}")], "", 1, "".into(), format!("postmap: fatal: regexp:{regexp} map requires O_RDONLY access mode\n")),
        ("postmap", vec!["nosuch:x".into()], "", 1, "".into(), "postmap: fatal: unsupported dictionary type: nosuch\n".into()),
        ("postmap", vec!["hash:/nowhere".into()], "", 1, "".into(), "postmap: fatal: open /nowhere: No such file or directory\n".into()),
        ("postalias", vec!["-q".into(), "ROOT".into(), format!("hash:{aliases}")], "", 0, "alice, bob\n".into(), format!("postalias{no_pair}")),
        ("postalias", vec!["-s".into(), format!("hash:{aliases}")], "", 0, "postmaster:\troot\nroot:\talice, bob\n".into(), format!("postalias{no_pair}")),
        ("newaliases", vec![], "", 0, "".into(), format!("postalias{no_pair}")),
    ];
    for (name, arguments, input, code, out, err) in cases {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let said = configured.tool(name, &arguments, input);
        assert_eq!((said.code, said.out, said.err), (Some(code), out, err), "{name} {arguments:?}");
    }
}
