// What the steps of thunderbird.py ask inside Thunderbird. Accounts are named by their user, folders by the names that are shown,
// from the account down, messages by their subject. Everything gives plain values.

const { setTimeout } = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");
const { NetUtil } = ChromeUtils.importESModule("resource://gre/modules/NetUtil.sys.mjs");

const SECONDS = 60;

/** The first true answer of `look`. Notifications differ from one way of a change to the next; what is shown does not. */
async function within(what, look) {
  const end = Date.now() + SECONDS * 1000;
  for (;;) {
    const seen = await look();
    if (seen) {
      return seen;
    }
    if (Date.now() > end) {
      throw new Error(`${what}: not within ${SECONDS} s`);
    }
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

/** Waits for the end of what `start` starts with a listener. */
function ended(what, start) {
  return new Promise((resolve, reject) => {
    start({
      QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]),
      OnStartRunningUrl() {},
      OnStopRunningUrl: (url, status) => (Components.isSuccessCode(status) ? resolve() : reject(new Error(`${what}: 0x${status.toString(16)}`))),
    });
  });
}

// ── accounts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const SOCKETS = { starttls: Ci.nsMsgSocketType.alwaysSTARTTLS, tls: Ci.nsMsgSocketType.SSL };

/** What the set-up of an account fills in by hand: {user, password, incoming: {type, port, tls}, outgoing: {port, tls}}. */
function configOf({ user, password, incoming, outgoing }) {
  const { AccountConfig } = ChromeUtils.importESModule("resource:///modules/accountcreation/AccountConfig.sys.mjs");
  const config = new AccountConfig();
  config.identity.realname = user.split("@")[0];
  config.identity.emailAddress = user;
  const common = { hostname: "localhost", username: user, password, auth: Ci.nsMsgAuthMethod.passwordCleartext };
  Object.assign(config.incoming, common, { type: incoming.type, port: incoming.port, socketType: SOCKETS[incoming.tls] });
  // It asks for nothing that a step does not ask for: what comes without is IDLE.
  Object.assign(config.incoming, { loginAtStartup: false, checkInterval: 600, leaveMessagesOnServer: true, deleteOnServerWhenLocalDelete: true });
  Object.assign(config.outgoing, common, { type: "smtp", port: outgoing.port, socketType: SOCKETS[outgoing.tls], addThisServer: true });
  config.rememberPassword = true;
  return config;
}

/** Trusts a CA, as the certificate manager does. */
function trust(pem) {
  const base64 = pem.replace(/-----[A-Z ]+-----|\s/g, "");
  Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).addCertFromBase64(base64, "C,,");
}

/** The set-up's test of a login: null, or what the user is told. */
async function verify(account) {
  const { ConfigVerifier } = ChromeUtils.importESModule("resource:///modules/accountcreation/ConfigVerifier.sys.mjs");
  const verifier = new ConfigVerifier(window.msgWindow, new AbortController().signal);
  try {
    await verifier.verifyConfig(configOf(account));
    return null;
  } catch (error) {
    return error.message;
  }
}

/** The same before its CA is trusted: the dialog that asks for an exception comes, and is cancelled. */
async function verifyDistrusted(account) {
  const told = verify(account);
  const dialog = () => [...Services.wm.getEnumerator(null)].find(w => w.location.href.endsWith("exceptionDialog.xhtml"));
  const asking = await within("the dialog about the certificate", () => dialog()?.document.readyState == "complete" && dialog());
  asking.close();
  return told;
}

/** Makes an account, as the last click of the set-up does. */
async function add(account) {
  const { CreateInBackend } = ChromeUtils.importESModule("resource:///modules/accountcreation/CreateInBackend.sys.mjs");
  const made = await CreateInBackend.createAccountInBackend(configOf(account));
  made.incomingServer.doBiff = false;
}

/** The incoming server of an account. */
function server(user) {
  const { accounts } = MailServices;
  return accounts.findServer(user, "localhost", "imap") ?? accounts.findServer(user, "localhost", "pop3") ?? fail(`no account ${user}`);
}

function fail(why) {
  throw new Error(why);
}

// ── folders ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The folder with these names below the account; null while there is none. */
function found(user, ...names) {
  return names.reduce((folder, name) => folder && folder.subFolders.find(below => below.name == name), server(user).rootFolder) ?? null;
}

function folder(user, ...names) {
  return found(user, ...names) ?? fail(`${user} has no folder ${names.join(" / ")}`);
}

/** What the folder pane lists of an account: {names joined by a slash: special use}. */
function listed(user) {
  const special = ["Inbox", "Drafts", "SentMail", "Trash", "Junk", "Archive"];
  const use = folder => special.filter(name => folder.getFlag(Ci.nsMsgFolderFlags[name])).join(" ");
  const below = (folder, path) => folder.subFolders.flatMap(f => [[path + f.name, use(f)], ...below(f, `${path}${f.name}/`)]);
  return Object.fromEntries(below(server(user).rootFolder, ""));
}

/** Begins to look whether anything is new in a folder, as a click on it does. */
function look(user, ...names) {
  folder(user, ...names).updateFolder(null);
}

/** Looks into a folder until `seen`: a look while Thunderbird is at something else there may be no look at all. */
async function looking(what, user, names, seen) {
  let last = 0;
  await within(what, () => {
    if (seen()) {
      return true;
    }
    if (Date.now() - last > 2000) {
      look(user, ...names);
      last = Date.now();
    }
    return false;
  });
}

/** Waits until the server has been told all that was done to messages of a folder; whenever nothing moves for a while, `push` is called. */
async function told(push, user, ...names) {
  const database = folder(user, ...names).msgDatabase.QueryInterface(Ci.nsIMsgOfflineOpsDatabase);
  let [left, since] = [null, 0];
  const none = async () => {
    const now = database.listAllOfflineOpIds().join();
    if (now != left) {
      [left, since] = [now, Date.now()];
    } else if (now && Date.now() - since > 2000) {
      await push();
      since = Date.now();
    }
    return !now;
  };
  await within(`what was done in ${names} on the server`, none).catch(error => fail(`${error.message}: ${left}`));
}

/** Makes a folder below another, or below the account. */
async function create(user, names, name) {
  const parent = names.length ? folder(user, ...names) : server(user).rootFolder;
  parent.createSubfolder(name, window.msgWindow);
  await within(`a new folder ${name}`, () => found(user, ...names, name));
}

async function rename(user, names, name) {
  folder(user, ...names).rename(name, window.msgWindow);
  await within(`the new name ${name}`, () => found(user, ...names.slice(0, -1), name) && !found(user, ...names));
}

/** Deletes a folder: into Trash, or for ever if it is there. */
async function remove(user, ...names) {
  folder(user, ...names).deleteSelf(window.msgWindow);
  await within(`the end of ${names}`, () => !found(user, ...names));
}

/** What the subscribe dialog lists: {name: [path, whether it is subscribed]}. */
async function subscriptions(user) {
  const imap = server(user).QueryInterface(Ci.nsISubscribableServer);
  await new Promise(resolve => {
    imap.subscribeListener = { QueryInterface: ChromeUtils.generateQI(["nsISubscribeListener"]), OnDonePopulating: resolve, OnItemDiscovered() {} };
    imap.startPopulating(window.msgWindow, true, false);
  });
  const below = (path, names) =>
    imap.getChildURIs(path).flatMap(child => {
      const name = names + imap.getLeafName(child);
      return [[name, [child, imap.isSubscribed(child)]], ...below(child, `${name}/`)];
    });
  const all = Object.fromEntries(below("", ""));
  imap.subscribeListener = null;
  imap.subscribeCleanup();
  return all;
}

/** Ticks or clears a path in the subscribe dialog, and lists the folders anew. */
function subscribe(user, path, wanted) {
  const imap = server(user).QueryInterface(Ci.nsISubscribableServer);
  wanted ? imap.subscribe(path) : imap.unsubscribe(path);
  server(user).QueryInterface(Ci.nsIImapIncomingServer).reDiscoverAllFolders();
}

async function compact(user, ...names) {
  await ended(`compacting ${names}`, listener => folder(user, ...names).compact(listener, window.msgWindow));
}

async function emptyTrash(user) {
  const trash = server(user).rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Trash);
  await ended("emptying the trash", listener => trash.emptyTrash(listener));
}

// ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The messages that a folder lists. */
function headers(folder) {
  return [...folder.messages];
}

function header(user, names, subject) {
  const all = headers(folder(user, ...names)).filter(header => header.mime2DecodedSubject == subject);
  return all.length == 1 ? all[0] : fail(`${all.length} messages ${subject} in ${names}`);
}

const FLAGS = { seen: "Read", answered: "Replied", flagged: "Marked", forwarded: "Forwarded", deleted: "IMAPDeleted" };

/** What the list of messages shows of each: {subject: {flags…, keys, junk, author, date}}. */
function messages(user, ...names) {
  const shown = h => ({
    flags: Object.keys(FLAGS).filter(flag => h.flags & Ci.nsMsgMessageFlags[FLAGS[flag]]).sort(),
    tags: h.getStringProperty("keywords").split(" ").filter(key => MailServices.tags.isValidKey(key)).map(key => MailServices.tags.getTagForKey(key)).sort(),
    junk: h.getStringProperty("junkscore") == "100",
    author: h.mime2DecodedAuthor,
    kept: Boolean(h.flags & Ci.nsMsgMessageFlags.Offline),
  });
  return Object.fromEntries(headers(folder(user, ...names)).map(h => [h.mime2DecodedSubject, shown(h)]));
}

/** Waits until the folder lists a message of that subject, without asking for it. */
async function comes(user, names, subject) {
  await within(`${subject} in ${names}`, () => headers(folder(user, ...names)).some(h => h.mime2DecodedSubject == subject));
}

/** Looks into a folder until it lists a message of that subject as the server has it, not as a move of its own foresees it. */
async function find(user, names, subject) {
  const real = header => header.mime2DecodedSubject == subject && !header.getStringProperty("pseudoHdr");
  await looking(`${subject} in ${names}`, user, names, () => headers(folder(user, ...names)).some(real));
}

/** Waits until what `messages` shows of one is as `wanted`, without asking for it; `null`: until it is gone. */
async function becomes(user, names, subject, wanted) {
  let shown;
  const fits = () => {
    shown = messages(user, ...names)[subject] ?? null;
    return wanted == null ? shown == null : shown && Object.keys(wanted).every(key => JSON.stringify(shown[key]) == JSON.stringify(wanted[key]));
  };
  await within(`${subject} in ${names} as ${JSON.stringify(wanted)}`, fits).catch(error => fail(`${error.message}; it is ${JSON.stringify(shown)}`));
}

/** The window with the folders and messages, at a folder. */
async function open(user, ...names) {
  const pane = document.getElementById("tabmail").currentAbout3Pane;
  const wanted = folder(user, ...names);
  pane.displayFolder(wanted.URI);
  await within(`a view of ${names}`, () => pane.gFolder?.URI == wanted.URI && pane.gDBView);
  return pane;
}

/** Selects messages in the list: again, if the list has moved meanwhile. */
async function select(pane, user, names, subjects) {
  const wanted = subjects.map(subject => header(user, names, subject));
  await within(`${subjects} selected`, () => {
    const selected = pane.gDBView.getSelectedMsgHdrs();
    if (selected.length == wanted.length && wanted.every(header => selected.includes(header))) {
      return true;
    }
    pane.threadTree.selectedIndices = wanted.map(header => pane.gDBView.findIndexOfMsgHdr(header, true));
    return false;
  });
}

/** Opens a message in the message pane, and gives what is read there: {subject, from, text, attachments: [{name, type, base64}]}. */
async function read(user, names, subject) {
  const pane = await open(user, ...names);
  const wanted = header(user, names, subject);
  const reader = await within("the message pane", () => pane.messageBrowser?.contentWindow);
  let begun = 0;
  await within(`${subject} in the message pane`, async () => {
    if (reader.gMessage?.messageKey == wanted.messageKey) {
      return reader.msgLoaded;
    }
    if (Date.now() - begun > 2000) {
      pane.threadTree.selectedIndex = -1;
      await select(pane, user, names, [subject]);
      begun = Date.now();
    }
    return false;
  });
  const attachments = [];
  for (const { name, contentType, url } of reader.currentAttachments) {
    attachments.push({ name, type: contentType, base64: await content(url) });
  }
  const bodies = reader.getMessagePaneBrowser().contentDocument.querySelectorAll(".moz-text-plain, .moz-text-flowed, .moz-text-html");
  return { subject: wanted.mime2DecodedSubject, from: wanted.mime2DecodedAuthor, text: [...bodies].map(body => body.innerText).join("\n"), attachments };
}

/** What an attachment holds. */
async function content(url) {
  const octets = await new Promise((resolve, reject) => {
    NetUtil.asyncFetch({ uri: url, loadUsingSystemPrincipal: true }, (stream, status) => {
      Components.isSuccessCode(status) ? resolve(NetUtil.readInputStreamToString(stream, stream.available())) : reject(new Error(`${url}: ${status}`));
    });
  });
  return btoa(octets);
}

/** Selects messages in the list and does to them what a menu's command does; some name a folder to go to. */
async function command(name, user, names, subjects, target) {
  const pane = await open(user, ...names);
  await select(pane, user, names, subjects);
  await within(`${name} to be possible`, () => pane.commandController.isCommandEnabled(name));
  const arrived = target ? arrival(folder(user, ...target)) : null;
  await pane.commandController.doCommand(name, target && folder(user, ...target));
  await arrived;
  // Thunderbird tells the server in the background, but not when the message pane is cleared meanwhile; the next look goes on with it.
  if (server(user).type == "imap" && !Services.io.offline) {
    await told(() => look(user, ...names), user, ...names);
  }
}

/** The next time that messages have been moved or copied into a folder. */
function arrival(folder) {
  return new Promise(resolve => {
    const listener = {
      msgsMoveCopyCompleted(move, headers, destination) {
        if (destination.URI == folder.URI) {
          MailServices.mfn.removeListener(listener);
          resolve();
        }
      },
    };
    MailServices.mfn.addListener(listener, MailServices.mfn.msgsMoveCopyCompleted);
  });
}

/** Makes a tag; gives its number in the menu. */
function addTag(name) {
  MailServices.tags.addTag(name, "#008000", "");
  return MailServices.tags.getAllTags().findIndex(tag => tag.tag == name) + 1;
}

/** How a tag stands on the server. */
function tagKey(name) {
  return MailServices.tags.getKeyForTag(name);
}

/** What becomes of a deleted message. */
function deleteModel(user, model) {
  server(user).QueryInterface(Ci.nsIImapIncomingServer).deleteModel = { mark: 0, trash: 1 }[model];
}

/** Asks the server for what has all of `terms`, [attribute, operator, value] each; gives the subjects. */
async function search(user, names, terms) {
  const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
  session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folder(user, ...names));
  for (const [attribute, operator, wanted] of terms) {
    const term = session.createTerm();
    term.attrib = Ci.nsMsgSearchAttrib[attribute];
    term.op = Ci.nsMsgSearchOp[operator];
    term.booleanAnd = true;
    const value = term.value;
    value.attrib = term.attrib;
    if (attribute == "Date") {
      value.date = Date.parse(wanted) * 1000;
    } else if (attribute == "MsgStatus") {
      value.status = Ci.nsMsgMessageFlags[wanted];
    } else {
      value.str = wanted;
    }
    term.value = value;
    session.appendTerm(term);
  }
  const hits = [];
  await new Promise((resolve, reject) => {
    session.registerListener({
      QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]),
      onNewSearch() {},
      onSearchHit: header => hits.push(header.mime2DecodedSubject),
      onSearchDone: status => (Components.isSuccessCode(status) ? resolve() : reject(new Error(`search: 0x${status.toString(16)}`))),
    }, Ci.nsIMsgSearchSession.allNotifications);
    session.search(window.msgWindow);
  });
  return hits.sort();
}

// ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Writes a message in a window of its own, {to, subject, html or text, attachments: [paths]}, and does what a button does. */
async function write(user, message, button) {
  const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
  Object.assign(fields, { to: message.to, subject: message.subject, body: message.html ?? message.text, forcePlainText: !message.html });
  for (const path of message.attachments ?? []) {
    const file = await IOUtils.getFile(path);
    const attachment = Cc["@mozilla.org/messengercompose/attachment;1"].createInstance(Ci.nsIMsgAttachment);
    Object.assign(attachment, { url: Services.io.newFileURI(file).spec, name: file.leafName, size: file.fileSize });
    fields.addAttachment(attachment);
  }
  const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
  params.composeFields = fields;
  params.identity = MailServices.accounts.getFirstIdentityForServer(server(user));
  params.format = message.html ? Ci.nsIMsgCompFormat.HTML : Ci.nsIMsgCompFormat.PlainText;
  MailServices.compose.OpenComposeWindowWithParams(null, params);
  const composer = () => Services.wm.getMostRecentWindow("msgcompose");
  const written = () => composer()?.gMsgCompose?.editor && composer().getBrowser().contentDocument.body?.textContent.trim();
  await within("the window to write in", () => written() && composer().defaultController.isCommandEnabled(button));
  if (button == "cmd_saveAsDraft") {
    const saved = new Promise(resolve => {
      const observer = () => (Services.obs.removeObserver(observer, "mail:composeSendProgressStop"), resolve());
      Services.obs.addObserver(observer, "mail:composeSendProgressStop");
    });
    composer().goDoCommand(button);
    await saved;
    composer().close();
  } else {
    composer().goDoCommand(button);
  }
  await within("the window to be closed", () => !composer());
}

// ── offline ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Fetches every message of a folder for offline use. */
async function keep(user, ...names) {
  await ended(`keeping ${names}`, listener => folder(user, ...names).downloadAllForOffline(listener, window.msgWindow));
}

/** What the icon in the status bar does. */
async function offline(wanted) {
  MailOfflineMgr.toggleOfflineStatus();
  await within(wanted ? "offline" : "online", () => Services.io.offline == wanted);
}

/** Goes online, until the server has been told what was done in a folder: Thunderbird 153 gives up when the first message needs no more. */
async function online(user, ...names) {
  await offline(false);
  const again = async () => {
    await offline(true);
    await offline(false);
  };
  await told(again, user, ...names);
}

// ── POP3 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Gets new mail of a POP3 account, as its button does. */
async function get(user) {
  const inbox = server(user).rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
  await ended("getting mail", listener => MailServices.pop3.GetNewMail(window.msgWindow, listener, inbox, server(user)));
}

/** Whether messages are left on the server. */
function leaveOnServer(user, wanted) {
  server(user).QueryInterface(Ci.nsIPop3IncomingServer).leaveMessagesOnServer = wanted;
}
