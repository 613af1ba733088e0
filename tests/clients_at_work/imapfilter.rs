//! imapfilter: rules written in Lua.

use house_tests::client::{self, installed};

use crate::{configure, contents, with_letters};

#[test]
fn imapfilter_sorts_a_mailbox() {
    if !installed("imapfilter_sorts_a_mailbox", &["imapfilter"]) {
        return;
    }
    let demo = with_letters(5);
    let scratch = tempfile::tempdir().expect("a directory");
    let rules = scratch.path().join("rules.lua");
    let (bob, password) = demo.account(1);
    configure(
        &rules,
        &format!(
            "options.create = true\noptions.subscribe = true\noptions.expunge = true\n\
             house = IMAP {{ server = 'localhost', port = {}, username = '{bob}', password = '{password}', ssl = 'auto' }}\n\
             inbox = house.INBOX\n\
             inbox:contain_subject('letter 1'):mark_seen()\n\
             inbox:match_body('body 2'):mark_flagged()\n\
             inbox:contain_subject('letter 3'):move_messages(house['Sorted/Three'])\n\
             flagged = inbox:contain_subject('letter') * inbox:is_flagged()\n\
             flagged:copy_messages(house['Entw\u{fc}rfe'])\n\
             unwanted = inbox:is_unseen() * inbox:contain_body('body 4') - inbox:is_older(1)\n\
             unwanted:delete_messages()\n",
            demo.port("imaps")
        ),
    );
    let said = client::run("imapfilter", &["-v", "-c", rules.to_str().expect("UTF-8"), "-t", demo.ca()]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(contents(&demo, 1, "INBOX"), ["Welcome", r"letter 1 \Seen", r"letter 2 \Flagged", "letter 5"], "{said:#?}");
    assert_eq!(contents(&demo, 1, "Sorted/Three"), ["letter 3"], "{said:#?}");
    assert_eq!(contents(&demo, 1, "Entw&APw-rfe"), [r"letter 2 \Flagged"], "{said:#?}");
    demo.server.stop();
}
