// nodemailer sends by both submissions: a text, HTML and a file, to several, over one connection and over a pool.
'use strict';

const nodemailer = require('nodemailer');
const { alice, assert, bob, host, ports, run, tls } = require('./house.js');

run(async () => {
    for (const secure of [true, false]) {
        const port = secure ? ports.submissions : ports.submission;
        const transport = nodemailer.createTransport({ host, port, secure, requireTLS: true, auth: alice, tls, pool: true, maxConnections: 3 });
        assert(await transport.verify());
        const sent = await transport.sendMail({
            from: { name: 'Älice', address: alice.user },
            to: bob.user,
            bcc: alice.user,
            subject: `你好 by ${port}`,
            text: '.\na line with a dot\n.. and dots\n',
            html: '<p>a line</p>',
            attachments: [{ filename: 'Übersicht.bin', content: Buffer.alloc(300_000, 0xa7) }],
        });
        assert.deepEqual(sent.accepted, [bob.user, alice.user]);
        assert.match(sent.response, /^250 2\.0\.0/);
        const many = Array.from({ length: 20 }, (_, n) => transport.sendMail({ from: alice.user, to: bob.user, subject: `one of many ${n}`, text: 'x' }));
        await Promise.all(many);
        await assert.rejects(transport.sendMail({ from: alice.user, to: 'nobody@example.test', text: 'x' }), { code: 'EENVELOPE', responseCode: 550 });
        await assert.rejects(transport.sendMail({ from: bob.user, to: bob.user, text: 'x' }), { code: 'EENVELOPE', responseCode: 553 });
        transport.close();
    }
    const wrong = nodemailer.createTransport({ host, port: ports.submissions, secure: true, auth: { user: alice.user, pass: 'wrong' }, tls });
    await assert.rejects(wrong.verify(), { code: 'EAUTH', responseCode: 535 });
    const stranger = nodemailer.createTransport({ host, port: ports.submissions, secure: true, auth: alice });
    await assert.rejects(stranger.verify(), /self-signed|unable to (get|verify)/);
});
