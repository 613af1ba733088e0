// What the scripts beside this one share: the demo they talk to, and TLS that trusts only its CA.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');

const demo = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const [alice, bob] = demo.accounts.map(account => ({ user: account.address, pass: account.password }));
const tls = { ca: fs.readFileSync(demo.ca), servername: demo.host };

// What `start` gives once `emitter` says `event` as `wanted` would have it; fails after a minute.
function told(emitter, event, wanted) {
    return new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`no ${event} within 60 s`)), 60_000);
        emitter.on(event, data => {
            if (wanted(data)) {
                clearTimeout(late);
                resolve(data);
            }
        });
    });
}

// Runs it; whatever fails ends the program with an error.
function run(main) {
    main().then(() => process.exit(0), error => {
        console.error(error);
        process.exit(1);
    });
}

module.exports = { alice, assert, bob, host: demo.host, ports: demo.ports, run, tls, told };
