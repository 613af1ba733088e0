//! Several clients of different kinds at one account, at the same time.

use house_tests::client::installed;
use house_tests::imap::Imap;

use crate::mbsync::mbsync;
use crate::offlineimap::offlineimap;
use crate::two_way::Near;
use crate::with_letters;

/// Letters that come in meanwhile.
const LETTERS: usize = 30;
/// How often each client runs meanwhile.
const RUNS: usize = 3;
/// How often each runs after that: what one has sent the other has to fetch.
const ROUNDS: usize = 2;

#[test]
fn mbsync_and_offlineimap_keep_the_same_account_while_mail_comes_in() {
    if !installed("mbsync_and_offlineimap_keep_the_same_account_while_mail_comes_in", &["mbsync", "offlineimap"]) {
        return;
    }
    let demo = with_letters(5);
    let (one, other) = (Near::empty(), Near::empty());
    mbsync(&demo, &one);
    offlineimap(&demo, &other);

    // Each side changes what it has; the same message on both, too.
    one.mark("INBOX", "letter 1", "FS");
    other.mark("INBOX", "letter 1", "S");
    one.remove("INBOX", "letter 2");
    other.remove("INBOX", "letter 3");
    one.put("INBOX", "S", b"Subject: by one\n\n1\n");
    other.put("INBOX", "F", b"Subject: by the other\n\nand 2\n");
    std::thread::scope(|threads| {
        threads.spawn(|| (0..RUNS).for_each(|_| drop(mbsync(&demo, &one))));
        threads.spawn(|| (0..RUNS).for_each(|_| drop(offlineimap(&demo, &other))));
        threads.spawn(|| (0..LETTERS).for_each(|n| demo.deliver("bob@example.test", &format!("Subject: meanwhile {n}\r\n\r\nx\r\n"))));
        threads.spawn(|| marks_and_moves(&mut demo.imap(1)));
    });

    for _ in 0..ROUNDS {
        mbsync(&demo, &one);
        offlineimap(&demo, &other);
    }
    one.assert_same(&demo, "mbsync");
    other.assert_same(&demo, "OfflineIMAP");
    assert_eq!(mbsync(&demo, &one), Vec::<String>::new());
    assert_eq!(offlineimap(&demo, &other), Vec::<String>::new());

    // Nothing is lost, nothing doubled. The welcome and the letters but two, what each side wrote, what came in.
    let mut subjects: Vec<String> = ["INBOX", "Archive"].iter().flat_map(|mailbox| demo.imap(1).messages(mailbox)).map(|message| message.subject()).collect();
    subjects.sort();
    assert_eq!(subjects.len(), 1 + 5 - 2 + 2 + LETTERS, "{subjects:#?}");
    subjects.dedup();
    assert_eq!(subjects.len(), 1 + 5 - 2 + 2 + LETTERS, "{subjects:#?}");
    demo.server.stop();
}

/// A third client. It changes only what the others have seen: OfflineIMAP gives up when a message is gone between its list and its
/// FETCH, and when it is told the flags of one that it has not listed.
fn marks_and_moves(imap: &mut Imap) {
    imap.ask("SELECT INBOX");
    imap.ask("UID MOVE 5 Archive");
    for n in 0..LETTERS {
        imap.ask("NOOP");
        imap.ask(&format!(r"UID STORE 1:6 {}FLAGS (\Answered)", ["+", "-"][n % 2]));
    }
    imap.ask("UID MOVE 6 Archive");
}
