//! What a course of Postfix has one type, its slips included: each is answered with file, line, parameter and what was probably meant.

use house_tests::program::Configured;

#[test]
fn a_variable_that_the_shell_ate_is_asked_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    let file = configured.main_cf().display().to_string();
    let postconf = |arguments: &[&str]| configured.tool("postconf", arguments, "");
    assert_eq!(postconf(&["-e", "inet_interfaces = loopback-only"]).err, "");
    // postconf -e "myorigin=$mydomain"
    let said = postconf(&["-e", "myorigin="]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{said:#?}");
    let line = std::fs::read_to_string(&file).expect("main.cf").lines().position(|line| line == "myorigin = ").expect("written") + 1;
    let hint = "did the shell eat $mydomain? use single quotes: postconf -e 'myorigin = $mydomain'";
    assert_eq!(said.err, format!("postconf: hint: {file}, line {line}: myorigin: {hint}\n"));
    let checked = configured.run(&["check"]);
    assert_eq!(checked.code, Some(78), "{checked:#?}");
    assert!(checked.out.contains(&format!("{file}, line {line}: myorigin: bad string length 0 < 1: myorigin =; {hint}\n")), "{checked:#?}");
    configured.run(&["serve"]).refused(78, &[&format!("line {line}: myorigin"), hint]);
    // As it is advised.
    assert_eq!(postconf(&["-e", "myorigin = $mydomain"]).err, "");
    configured.run(&["check"]).ok();
}

#[test]
fn a_letter_wrong_is_asked_about() {
    let directory = tempfile::tempdir().expect("a directory");
    let configured = Configured::setup(directory.path(), &[]);
    let file = configured.main_cf().display().to_string();
    let line = configured.set("relay_domains = $myhostname,localhost.$mydimain");
    let said = configured.tool("postconf", &["-n", "relay_domains"], "");
    assert_eq!((said.code, said.out.as_str()), (Some(0), "relay_domains = $myhostname,localhost.$mydimain\n"), "{said:#?}");
    let hint = format!("{file}, line {line}: relay_domains: mydimain: did you mean mydomain?");
    assert_eq!(said.err, format!("postconf: warning: {file}: undefined parameter: mydimain\npostconf: hint: {hint}\n"));
    let checked = configured.run(&["check"]);
    let told = format!("{file}, line {line}: relay_domains: undefined parameter: mydimain; mydimain: did you mean mydomain?\n");
    assert!(checked.out.contains(&told), "{checked:#?}");
}
