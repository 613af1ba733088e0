-- owner: queue
-- Mail that was accepted and is not yet done with. Times are BIGINT milliseconds since 1970.
-- A lost COMMIT is settled by db's table landed, so no row carries the transaction's number.

-- size: octets in CRLF form; disk_size: in a Maildir's. place: i = the bytes are in queue_body; t:R<hex>… = in the spool. flags: see queue::message::FLAG_*.
CREATE TABLE queue_message (
    id BIGINT PRIMARY KEY,
    sender TEXT NOT NULL,
    place TEXT NOT NULL,
    size BIGINT NOT NULL,
    disk_size BIGINT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    flags BIGINT NOT NULL,
    envid TEXT,
    account_id BIGINT,
    origin TEXT
);

CREATE TABLE queue_body (
    id BIGINT PRIMARY KEY,
    data {blob} NOT NULL
);

-- kind: 0 = local, 1 = leaves this machine; route: the next hop of the latter. state: 0 = due at due, 1 = held, 2 = failed, 3 to 5 = delivered, relayed, expanded (only its sender is to be told).
-- rcpt: where it goes; original: as the sender named it.
-- A delivered recipient has no row. owner: the node that tries it.
CREATE TABLE queue_rcpt (
    queue_id BIGINT NOT NULL,
    n BIGINT NOT NULL,
    owner BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    state BIGINT NOT NULL,
    due BIGINT NOT NULL,
    route TEXT NOT NULL,
    rcpt TEXT NOT NULL,
    original TEXT NOT NULL,
    orcpt TEXT,
    notify BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    status TEXT,
    reply TEXT,
    PRIMARY KEY (queue_id, n)
);
CREATE INDEX queue_rcpt_due ON queue_rcpt (owner, state, kind, due);
