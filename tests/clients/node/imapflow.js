// imapflow does a day's work on bob's mail: folders, append, search, flags, copy, move, download in parts, IDLE, and a return with
// what it remembers.
'use strict';

const { ImapFlow } = require('imapflow');
const nodemailer = require('nodemailer');
const { alice, assert, bob, host, ports, run, tls, told } = require('./house.js');

async function connect(more) {
    const client = new ImapFlow({ host, port: ports.imaps, secure: true, auth: bob, tls, logger: false, clientInfo: { name: 'imapflow', vendor: 'x'.repeat(300) }, ...more });
    await client.connect();
    return client;
}

async function all(messages) {
    const list = [];
    for await (const message of messages) list.push(message);
    return list;
}

async function collect(stream) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks);
}

run(async () => {
    await assert.rejects(connect({ auth: { user: bob.user, pass: 'wrong' } }), { authenticationFailed: true });
    const client = await connect();

    // Folders.
    for (const path of ['Entwürfe', 'Archiv', 'Archiv/归档']) {
        assert((await client.mailboxCreate(path)).created);
    }
    const listed = new Map((await client.list({ statusQuery: { messages: true, unseen: true, uidNext: true } })).map(mailbox => [mailbox.path, mailbox]));
    for (const [path, use] of [['INBOX', '\\Inbox'], ['Sent', '\\Sent'], ['Drafts', '\\Drafts'], ['Trash', '\\Trash'], ['Junk', '\\Junk'], ['Archive', '\\Archive']]) {
        assert.equal(listed.get(path)?.specialUse, use, path);
    }
    assert(listed.get('Archiv/归档').subscribed && listed.get('Archiv/归档').parentPath === 'Archiv');
    assert.equal(listed.get('INBOX').status.messages, 1);
    await client.mailboxRename('Archiv', 'Archiv 2026');
    assert(!(await client.list()).some(mailbox => mailbox.path === 'Archiv/归档'));

    // Append, and read back in every way.
    const large = Buffer.from(Array.from({ length: 20_000 }, (_, n) => `line ${n} of many\r\n`).join(''));
    const boundary = 'b'.repeat(60);
    const source = Buffer.concat([
        Buffer.from(
            `From: =?utf-8?q?=C3=84lice?= <alice@example.test>\r\nTo: bob@example.test\r\nSubject: =?utf-8?b?5L2g5aW9?=\r\nMessage-ID: <1@example.test>\r\n` +
                `Content-Type: multipart/mixed; boundary=${boundary}\r\n\r\n--${boundary}\r\nContent-Type: text/plain; charset=gbk\r\nContent-Transfer-Encoding: 8bit\r\n\r\n`,
        ),
        Buffer.from([0xc4, 0xe3, 0xba, 0xc3]),
        Buffer.from(`\r\n--${boundary}\r\nContent-Type: text/plain; name=large.txt\r\nContent-Disposition: attachment; filename=large.txt\r\n\r\n`),
        large,
        Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
    const appended = await client.append('Entwürfe', source, ['\\Draft', '$own'], new Date('2001-09-09T01:46:40Z'));
    assert.equal(appended.uid, 1);
    for (const n of [2, 3, 4]) await client.append('Entwürfe', `Subject: message ${n}\r\n\r\nbody ${n}\r\n`, ['\\Seen']);
    let lock = await client.getMailboxLock('Entwürfe');
    assert.equal(client.mailbox.exists, 4);
    const one = await client.fetchOne('1', { uid: true, flags: true, envelope: true, bodyStructure: true, internalDate: true, size: true, source: true, headers: ['subject'] });
    assert(one.source.equals(source) && one.size === source.length);
    assert(one.flags.has('\\Draft') && one.flags.has('$own'));
    assert.equal(one.envelope.subject, '你好');
    assert.equal(one.envelope.from[0].name, 'Älice');
    assert.equal(one.internalDate.toISOString(), '2001-09-09T01:46:40.000Z');
    assert.equal(one.bodyStructure.childNodes[1].dispositionParameters.filename, 'large.txt');
    const text = await client.download('1', '1');
    assert.equal((await collect(text.content)).toString(), '你好');
    const file = await client.download('1', '2');
    assert(file.meta.filename === 'large.txt' && (await collect(file.content)).equals(large));
    assert.deepEqual((await all(client.fetch('1:*', { envelope: true }))).map(message => message.seq), [1, 2, 3, 4]);

    // Search.
    assert.deepEqual(await client.search({ seen: false }), [1]);
    assert.deepEqual(await client.search({ subject: '你' }), [1]);
    assert.deepEqual(await client.search({ body: 'line 19999 of' }, { uid: true }), [1]);
    assert.deepEqual(await client.search({ or: [{ subject: 'message 2' }, { keyword: '$own' }] }), [1, 2]);
    assert.deepEqual(await client.search({ since: new Date(Date.now() - 3_600_000), not: { subject: 'message 3' } }), [2, 4]);
    assert.deepEqual(await client.search({ header: { 'message-id': '1@example.test' } }), [1]);

    // Flags, copy, move, delete; another connection is told.
    const other = await connect();
    const otherLock = await other.getMailboxLock('Entwürfe');
    const idle = other.idle();
    const flagged = told(other, 'flags', data => data.seq === 2 && data.flags.has('\\Flagged'));
    assert(await client.messageFlagsAdd('2:3', ['\\Flagged', '$label1'], { uid: true }));
    await flagged;
    assert(await client.messageFlagsRemove('2', ['\\Seen'], { uid: true }));
    assert.deepEqual(await client.search({ keyword: '$label1', seen: true }), [3]);
    const copied = await client.messageCopy('1:2', 'Archiv 2026', { uid: true });
    assert.deepEqual([...copied.uidMap], [[1, 1], [2, 2]]);
    const gone = told(other, 'expunge', () => true);
    const moved = await client.messageMove('3', 'Archiv 2026/归档', { uid: true });
    assert.deepEqual([...moved.uidMap], [[3, 1]]);
    await gone;
    assert(await client.messageDelete('2', { uid: true }));
    assert.deepEqual(await client.search({ all: true }, { uid: true }), [1, 4]);
    const status = await client.status('Archiv 2026', { messages: true, unseen: true, uidNext: true, uidValidity: true });
    assert(status.messages === 2 && status.unseen === 2 && status.uidNext === 3);
    const { uidValidity, highestModseq } = client.mailbox;
    lock.release();

    // IDLE: told of what comes in meanwhile.
    lock = await client.getMailboxLock('INBOX');
    const exists = told(client, 'exists', data => data.count === 2);
    const idling = client.idle();
    const transport = nodemailer.createTransport({ host, port: ports.submissions, secure: true, auth: alice, tls });
    await transport.sendMail({ from: alice.user, to: bob.user, subject: 'while idle', text: 'x' });
    await exists;
    assert.equal((await client.fetchOne('*', { envelope: true })).envelope.subject, 'while idle');
    await idling;
    assert.equal((await client.getQuota('INBOX')).path, 'INBOX');
    lock.release();
    await client.logout();

    // It comes back with what it remembers.
    await other.noop();
    await idle;
    await other.messageFlagsAdd('1', ['\\Answered'], { uid: true });
    await other.messageDelete('4', { uid: true });
    otherLock.release();
    await other.logout();
    const again = await connect({ qresync: true });
    lock = await again.getMailboxLock('Entwürfe');
    assert.equal(again.mailbox.uidValidity, uidValidity);
    assert(again.enabled.has('QRESYNC'));
    const changed = await all(again.fetch('1:*', { flags: true }, { uid: true, changedSince: highestModseq }));
    assert(changed.length === 1 && changed[0].flags.has('\\Answered'));
    assert.equal(again.mailbox.exists, 1);
    lock.release();
    for (const path of ['Entwürfe', 'Archiv 2026/归档', 'Archiv 2026']) assert.equal((await again.mailboxDelete(path)).path, path);
    await again.logout();
});
