-- owner: store
-- Who has mail (the directory) and the mail they have (everything led by account_id).
-- The account is the unit of locking, caching and sharding; account.seq, raised inside the transaction that uses it, gives
-- ids and MODSEQ, so commit order = UID order = MODSEQ order. There is no index on modseq: change is the log.

-- The directory --------------------------------------------------------------------------------------------------
CREATE TABLE domain (
    name TEXT PRIMARY KEY,
    id BIGINT NOT NULL UNIQUE,
    settings TEXT NOT NULL DEFAULT '{}'
);
-- login is local@domain; state 0 = active, 1 = disabled, 2 = removed (its mail is being erased).
CREATE TABLE account_dir (
    id BIGINT PRIMARY KEY,
    login TEXT NOT NULL UNIQUE,
    domain_id BIGINT NOT NULL,
    state BIGINT NOT NULL,
    shard BIGINT NOT NULL DEFAULT 0,
    display TEXT NOT NULL DEFAULT '',
    created BIGINT NOT NULL
);
CREATE INDEX account_dir_domain ON account_dir (domain_id);
-- An alias has a row a target, in order of n. '@domain' is the catch-all.
CREATE TABLE address (
    addr TEXT NOT NULL,
    n BIGINT NOT NULL,
    target TEXT NOT NULL,
    PRIMARY KEY (addr, n)
) {wr};
CREATE INDEX address_target ON address (target);
-- kind 0 = the password, 1 = an app password; secret is '{SCHEME}…', never in clear; scopes 0 = everything.
CREATE TABLE credential (
    account_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    label TEXT NOT NULL,
    secret TEXT NOT NULL,
    scram {blob},
    scopes BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL,
    expires BIGINT,
    last_used BIGINT,
    PRIMARY KEY (account_id, id)
) {wr};

-- Mail -----------------------------------------------------------------------------------------------------------
-- floor: changes up to this seq are no longer in the log. uidvalidity: the last one given; they only rise.
CREATE TABLE account (
    id BIGINT PRIMARY KEY,
    seq BIGINT NOT NULL,
    floor BIGINT NOT NULL DEFAULT 0,
    uidvalidity BIGINT NOT NULL,
    used_bytes BIGINT NOT NULL DEFAULT 0,
    used_msgs BIGINT NOT NULL DEFAULT 0,
    quota_bytes BIGINT,
    quota_msgs BIGINT,
    kick BIGINT NOT NULL DEFAULT 0
);
-- recent: UIDs from here on have been announced as \Recent to nobody. mirrored: the last seq whose flags stand in
-- the file names. stamp: the folder's times at the last look for outside changes.
CREATE TABLE mailbox (
    account_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    name TEXT NOT NULL,
    special BIGINT NOT NULL DEFAULT 0,
    uidvalidity BIGINT NOT NULL,
    uidnext BIGINT NOT NULL,
    recent BIGINT NOT NULL DEFAULT 1,
    seq BIGINT NOT NULL,
    mirrored BIGINT NOT NULL DEFAULT 0,
    total BIGINT NOT NULL DEFAULT 0,
    unseen BIGINT NOT NULL DEFAULT 0,
    deleted BIGINT NOT NULL DEFAULT 0,
    bytes BIGINT NOT NULL DEFAULT 0,
    stamp TEXT,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, name)
);
CREATE TABLE subscription (
    account_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (account_id, name)
) {wr};
-- Bits 16 to 62 of flags, by name; folded is the name in lower case.
CREATE TABLE keyword (
    account_id BIGINT NOT NULL,
    bit BIGINT NOT NULL,
    name TEXT NOT NULL,
    folded TEXT NOT NULL,
    PRIMARY KEY (account_id, bit),
    UNIQUE (account_id, folded)
);
-- place: NULL = a file in each of its mailboxes, else where the body waits to become one. A rowid table: cache is large.
-- size in CRLF octets, internaldate in milliseconds, zone in minutes east.
CREATE TABLE message (
    account_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    place TEXT,
    size BIGINT NOT NULL,
    internaldate BIGINT NOT NULL,
    zone BIGINT NOT NULL DEFAULT 0,
    thread_id BIGINT NOT NULL,
    cache {blob},
    PRIMARY KEY (account_id, id)
);
-- file: the name up to ':2,'; file_flags: those the name says. uidl: POP3's, when taken over from another server.
CREATE TABLE mailbox_message (
    account_id BIGINT NOT NULL,
    mailbox_id BIGINT NOT NULL,
    uid BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    flags BIGINT NOT NULL,
    modseq BIGINT NOT NULL,
    savedate BIGINT NOT NULL,
    file TEXT NOT NULL,
    file_flags BIGINT NOT NULL,
    uidl TEXT,
    PRIMARY KEY (account_id, mailbox_id, uid)
) {wr};
CREATE INDEX mailbox_message_m ON mailbox_message (account_id, message_id);
-- The log: a row for each transaction and mailbox; what is packed (store::change).
CREATE TABLE change (
    account_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    mailbox_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    what {blob} NOT NULL,
    PRIMARY KEY (account_id, seq, mailbox_id)
) {wr};
-- Bodies that are not files yet: data here, or NULL when message.place names a spool file.
CREATE TABLE body (
    account_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    data {blob},
    PRIMARY KEY (account_id, id)
);
-- What is still to be done to files after the commit that decided it: op 1 = remove the file arg (base:2,letters; the letters say
-- where to look first, and may be missing) of folder dir, 2 = remove the folder dir, 3 = rename the folder dir to arg, 4 = give the
-- file dir (folder/base:2,letters) the second name arg (the same).
CREATE TABLE todo (
    account_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    due BIGINT NOT NULL,
    op BIGINT NOT NULL,
    dir TEXT NOT NULL,
    arg TEXT NOT NULL,
    PRIMARY KEY (account_id, id)
);
-- What was expunged, for undelete.
CREATE TABLE expunged (
    account_id BIGINT NOT NULL,
    mailbox_id BIGINT NOT NULL,
    uid BIGINT NOT NULL,
    flags BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, uid)
) {wr};
-- Which recipients of a queued message have it already, when queue and mailbox are in different databases.
CREATE TABLE delivered (
    account_id BIGINT NOT NULL,
    queue_id BIGINT NOT NULL,
    n BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (account_id, queue_id, n)
) {wr};
