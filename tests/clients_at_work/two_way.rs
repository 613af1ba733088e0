//! What every program that keeps a Maildir and an account the same must do: changes on both sides, run, both sides equal; run
//! again, and nothing is sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use house_tests::demo::Demo;
use house_tests::imap::{Imap, Message};
use tempfile::TempDir;

/// One side: of each folder the messages, as the letters of their flags and their text with LF. An empty folder is one.
type Side = BTreeMap<String, Vec<(String, Vec<u8>)>>;

/// The folder of German drafts, as it is on the wire.
const DRAFTS: &str = "Entw&APw-rfe";
/// A Chinese one, below another.
const CHINESE: &str = "Archiv/&U,BTFw-";
/// One that is made on the near side.
pub const PERSONAL: &str = "Pers&APY-nlich";

/// The commands by which a client changes the server.
pub const CHANGES: [&str; 7] = ["APPEND", "STORE", "COPY", "MOVE", "EXPUNGE", "CREATE", "DELETE"];

/// A client: runs once, and gives the commands by which it changed the server.
pub type Run = fn(&Demo, &Near) -> Vec<String>;

/// bob's account, and a Maildir that a client keeps the same.
pub struct Pair {
    pub demo: Demo,
    pub near: Near,
}

impl Pair {
    /// A server with mail, and no Maildir yet.
    pub fn fresh() -> Pair {
        Pair { demo: Demo::start_with("plaintext_auth = loopback"), near: Near::empty() }
    }

    /// The whole scenario.
    pub fn go_through(mut self, client: Run) -> Pair {
        let run = |pair: &Pair| client(&pair.demo, &pair.near);
        self.fill_the_far_side();
        run(&self);
        self.assert_same("after the first run");
        assert_eq!(run(&self), Vec::<String>::new(), "nothing was to be done after the first run");

        self.change_both_sides();
        assert_ne!(run(&self), Vec::<String>::new(), "changes were sent: the judge of idleness can tell");
        self.assert_same("after changes on both sides");
        self.assert_as_changed();
        assert_eq!(run(&self), Vec::<String>::new(), "nothing was to be done after the changes");
        self.assert_same("after a run with nothing to do");

        // What the client remembers, UIDVALIDITY and UIDs, is true of the server that starts again.
        let before = self.near.files();
        self.demo = self.demo.again();
        assert_eq!(run(&self), Vec::<String>::new(), "nothing was to be done after a restart");
        assert_eq!(self.near.files(), before, "a file was made or renamed after a restart");
        self.demo.deliver("bob@example.test", "Subject: after the restart\r\n\r\nstill here\r\n");
        self.near.mark("INBOX", "letter 4", "RS");
        run(&self);
        self.assert_same("after a restart and changes on both sides");
        assert_eq!(letters(&self.far()["INBOX"], "letter 4"), Some("RS"));
        assert_eq!(letters(&self.near.side()["INBOX"], "after the restart"), Some(""));
        assert_eq!(run(&self), Vec::<String>::new(), "nothing was to be done at the end");
        self
    }

    fn fill_the_far_side(&self) {
        for n in 1..=4 {
            self.demo.deliver("bob@example.test", &format!("Subject: letter {n}\r\n\r\nbody {n}\r\n"));
        }
        let mut imap = self.imap();
        imap.ask(&format!("CREATE {DRAFTS}"));
        imap.put(DRAFTS, r"\Draft \Flagged", "Subject: draft\r\n\r\n\u{fc}ber\r\n".as_bytes());
        imap.put(DRAFTS, "", b"Subject: GBK\r\nContent-Type: text/plain; charset=gbk\r\n\r\n\xc4\xe3\xba\xc3\r\n");
    }

    fn change_both_sides(&self) {
        let mut imap = self.imap();
        imap.ask("SELECT INBOX");
        imap.ask(r"STORE 2 +FLAGS.SILENT (\Seen \Flagged)"); // letter 1
        imap.ask(r"STORE 1 +FLAGS.SILENT (\Deleted)"); // the welcome
        imap.ask("EXPUNGE");
        imap.ask(&format!("CREATE {CHINESE}"));
        imap.ask(&format!("COPY 1 {CHINESE}")); // letter 1
        imap.ask(&format!("SELECT {DRAFTS}"));
        imap.ask(r"STORE 1 -FLAGS.SILENT (\Flagged)");
        self.demo.deliver("bob@example.test", "Subject: letter 5\r\n\r\nin between\r\n");

        self.near.mark("INBOX", "letter 2", "S");
        self.near.remove("INBOX", "letter 3");
        self.near.mark(DRAFTS, "GBK", "FS");
        self.near.put("INBOX", "FS", b"Subject: written near\nContent-Type: text/plain; charset=big5\n\n\xa7\x41\xa6\x6e\n");
        self.near.make(PERSONAL);
        self.near.put(PERSONAL, "S", b"Subject: personal\n\n.a line with a dot\nFrom the beginning\n");
    }

    fn assert_as_changed(&self) {
        let far = self.far();
        let told = |folder: &str| -> Vec<(String, String)> {
            let mut told: Vec<_> = far[folder].iter().map(|(letters, text)| (subject(text), letters.clone())).collect();
            told.sort();
            told
        };
        let is = |folder: &str, expected: &[(&str, &str)]| {
            let expected: Vec<_> = expected.iter().map(|(subject, letters)| ((*subject).to_owned(), (*letters).to_owned())).collect();
            assert_eq!(told(folder), expected, "{folder}");
        };
        is("INBOX", &[("letter 1", "FS"), ("letter 2", "S"), ("letter 4", ""), ("letter 5", ""), ("written near", "FS")]);
        is(DRAFTS, &[("GBK", "FS"), ("draft", "D")]);
        is(CHINESE, &[("letter 1", "FS")]);
        is(PERSONAL, &[("personal", "S")]);
    }

    /// That both sides are equal.
    #[track_caller]
    pub fn assert_same(&self, when: &str) {
        self.near.assert_same(&self.demo, when);
    }

    /// bob, by the least client.
    pub fn imap(&self) -> Imap {
        self.demo.imap(1)
    }

    fn far(&self) -> Side {
        far(&self.demo)
    }
}

/// bob's account.
fn far(demo: &Demo) -> Side {
    let mut imap = demo.imap(1);
    let mut side = Side::new();
    for folder in imap.mailboxes() {
        let mut messages: Vec<_> = imap.messages(&folder).iter().map(|message| (letters_of(message), plain(&message.text))).collect();
        messages.sort();
        side.insert(folder, messages);
    }
    side
}

/// A Maildir that a client keeps, with the client's own files beside it; folders below folders are directories.
#[derive(Debug)]
pub struct Near(TempDir);

impl Near {
    /// One without folders.
    pub fn empty() -> Near {
        let near = Near(tempfile::tempdir().expect("a directory"));
        std::fs::create_dir(near.mail()).expect("a directory");
        near
    }

    /// Where the folders are: `INBOX`, `Archiv/…`.
    pub fn mail(&self) -> PathBuf {
        self.beside("mail")
    }

    /// A file of the client's.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// That it holds what bob's account holds.
    #[track_caller]
    pub fn assert_same(&self, demo: &Demo, when: &str) {
        let (far, near) = (far(demo), self.side());
        assert_eq!(far.keys().collect::<Vec<_>>(), near.keys().collect::<Vec<_>>(), "{when}: the folders differ");
        for (folder, messages) in &far {
            let only = |these: &[(String, Vec<u8>)], those: &[(String, Vec<u8>)]| -> Vec<String> {
                let told = |(letters, text): &(String, Vec<u8>)| format!("{letters}: {}", text.escape_ascii());
                these.iter().filter(|message| !those.contains(message)).map(told).collect()
            };
            assert!(*messages == near[folder], "{when}: {folder}: far {:#?}, near {:#?}", only(messages, &near[folder]), only(&near[folder], messages));
        }
    }

    fn side(&self) -> Side {
        let mut side = Side::new();
        for (folder, path) in self.files() {
            let messages = side.entry(folder).or_default();
            if let Some(path) = path {
                messages.push((letters_in(&path).to_owned(), plain(&std::fs::read(&path).expect("a file"))));
                messages.sort();
            }
        }
        side
    }

    /// Each folder, and each file in one.
    fn files(&self) -> Vec<(String, Option<PathBuf>)> {
        fn walk(at: &Path, name: &str, found: &mut Vec<(String, Option<PathBuf>)>) {
            let entries = |at: &Path| -> Vec<PathBuf> { std::fs::read_dir(at).expect("a directory").map(|entry| entry.expect("an entry").path()).collect() };
            if at.join("cur").is_dir() {
                found.push((name.to_owned(), None));
                let files = ["new", "cur"].into_iter().flat_map(|sub| entries(&at.join(sub)));
                found.extend(files.map(|path| (name.to_owned(), Some(path))));
            }
            for path in entries(at).iter().filter(|path| path.is_dir() && !path.ends_with("new") && !path.ends_with("cur") && !path.ends_with("tmp")) {
                let last = path.file_name().unwrap_or_default().to_string_lossy();
                walk(path, &if name.is_empty() { last.into_owned() } else { format!("{name}/{last}") }, found);
            }
        }
        let mut found = Vec::new();
        walk(&self.mail(), "", &mut found);
        found.sort();
        found
    }

    #[track_caller]
    fn file(&self, folder: &str, wanted: &str) -> PathBuf {
        let is = |path: &PathBuf| subject(&std::fs::read(path).expect("a file")) == wanted;
        let found = self.files().into_iter().filter(|(name, _)| name == folder).find_map(|(_, path)| path.filter(&is));
        found.unwrap_or_else(|| panic!("no {wanted} in {folder}: {:#?}", self.files()))
    }

    pub fn make(&self, folder: &str) {
        for sub in ["tmp", "new", "cur"] {
            std::fs::create_dir_all(self.mail().join(folder).join(sub)).expect("a directory");
        }
    }

    pub fn put(&self, folder: &str, letters: &str, text: &[u8]) {
        std::fs::write(self.mail().join(folder).join(format!("cur/1700000000.{}_1.near:2,{letters}", text.len())), text).expect("a file");
    }

    #[track_caller]
    pub fn mark(&self, folder: &str, subject: &str, letters: &str) {
        let path = self.file(folder, subject);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let base = name.split_once(":2,").map_or(&*name, |(base, _)| base);
        std::fs::rename(&path, self.mail().join(folder).join(format!("cur/{base}:2,{letters}"))).expect("a file");
    }

    #[track_caller]
    pub fn remove(&self, folder: &str, subject: &str) {
        std::fs::remove_file(self.file(folder, subject)).expect("a file");
    }
}

fn letters<'m>(messages: &'m [(String, Vec<u8>)], wanted: &str) -> Option<&'m str> {
    messages.iter().find(|(_, text)| subject(text) == wanted).map(|(letters, _)| &letters[..])
}

fn subject(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default().to_owned()
}

fn letters_in(path: &Path) -> &str {
    path.to_str().and_then(|name| name.rsplit_once(":2,")).map_or("", |(_, letters)| letters)
}

/// The letters that Maildir has for flags.
fn letters_of(message: &Message) -> String {
    let letters = [('D', r"\Draft"), ('F', r"\Flagged"), ('R', r"\Answered"), ('S', r"\Seen"), ('T', r"\Deleted")];
    letters.iter().filter(|(_, flag)| message.is(flag)).map(|(letter, _)| letter).collect()
}

/// A message with LF, and without the field by which mbsync finds its own copies again.
fn plain(text: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = text.iter().copied().filter(|octet| *octet != b'\r').collect();
    text.split_inclusive(|octet| *octet == b'\n').filter(|line| !line.starts_with(b"X-TUID: ")).flatten().copied().collect()
}
