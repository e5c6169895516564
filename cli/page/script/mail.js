// A mail: its people, its parts, what a look at it finds, and what became of it.

/** SES's id of the open mail. @type {string | null} */
let opened = null;
/** The name of the part that is shown. @type {string | null} */
let part = null;

const who = (person) => person.name || person.email;
const full = (person) => (person.name ? `${person.name} <${person.email}>` : person.email);
function crowd(people) {
  const names = people.slice(0, 3).map(who).join(', ');
  return people.length > 3 ? `${names} and ${number(people.length - 3)} more` : names;
}
const recipients = (mail) => [...mail.decoded.to, ...mail.decoded.cc, ...mail.decoded.bcc];
/** The people of a raw mail's header need not be those who receive it. */
const envelope = (mail) => (mail.envelope ? [make('dt', {}, 'Envelope'), make('dd', {}, `${mail.envelope.from} → ${mail.envelope.to.join(', ')}`)] : []);
const streamOf = (mail) => mail.tags.find((tag) => tag.name === 'okite_stream')?.value;
const ownTags = (mail) => mail.tags.filter((tag) => !tag.name.startsWith('okite_'));
const pathOf = (id) => `/_local/outbox/${encodeURIComponent(id)}`;

/** Opens a mail, or closes the open one. */
async function open(id) {
  const before = opened;
  opened = id;
  part = null;
  $('outbox').classList.toggle('open', id !== null);
  drawMails();
  if (id === null) {
    $('mail').replaceChildren(make('div', { class: 'empty' }, 'Choose a mail: ', make('kbd', {}, 'j'), ' ', make('kbd', {}, 'k'), ' and ', make('kbd', {}, 'Enter')));
    const place = before === null ? -1 : placeOf(before);
    if (place >= 0 && (focused() === document.body || $('mail').contains(focused()))) reach(place);
    return;
  }
  try {
    const mail = await call('GET', pathOf(id));
    if (opened !== id) return;
    opened = mail.ses_message_id;
    drawMail(mail);
    if (mail.read) drawMails(); else markMails([opened], true);
  } catch (error) {
    if (opened === id) $('mail').replaceChildren(backButton(), make('div', { class: 'empty', role: 'status' }, error.message));
  }
}
function close() {
  if (opened !== null) { if (view === 'outbox') location.hash = '#/outbox'; else open(null); }
}
const show = (id) => { location.hash = `#/outbox/${encodeURIComponent(id)}`; };
const backButton = () => make('button', { id: 'back', onclick: close }, '← Mails');

function drawMail(mail) {
  const hadFocus = $('mail-list').contains(document.activeElement) || $('mail').contains(document.activeElement);
  const row = (name, people) => (people.length ? [make('dt', {}, name), make('dd', {}, people.map(full).join(', '))] : []);
  const stream = streamOf(mail);
  const title = make('h2', { tabindex: -1, id: 'mail-title' }, mail.subject || '(no subject)');
  const head = make('div', { id: 'mail-head' },
    make('div', { class: 'line' }, title, make('span', {}, backButton(), ' ',
      make('button', { class: 'plain', onclick: () => markMails([mail.ses_message_id], false) }, 'Mark unread'), ' ',
      make('button', { class: 'plain danger', onclick: () => deleteMails([mail.ses_message_id]) }, 'Delete'))),
    make('dl', { class: 'people', tabindex: 0, 'aria-label': 'Sender and recipients' },
      row('From', [mail.decoded.from]), row('To', mail.decoded.to), row('Cc', mail.decoded.cc), row('Bcc', mail.decoded.bcc),
      row('Reply-To', mail.decoded.reply_to), envelope(mail), make('dt', {}, 'Accepted'), make('dd', {}, time(mail.at, true))),
    make('div', { class: 'chips' }, make('span', { id: 'fate' }, stateChip(mail.state)), mail.is_sender_verified ? null : chip('sender not verified', 'warn'), stream ? chip(stream) : null, mail.raw ? chip('raw') : null, ...ownTags(mail).map((tag) => chip(`${tag.name}: ${tag.value}`))));
  if (!mail.is_sender_verified) head.append(make('p', { class: 'small quiet', id: 'unverified' },
    `On AWS, SES refuses the sender ${mail.decoded.from.email} until it is verified: okite domains create, or --verify here.`));
  /** @type {any[]} */
  const parts = [
    mail.html !== null && ['HTML', () => htmlPart(mail), size(mail.html)],
    mail.text !== null && ['Text', () => [make('pre', { class: 'pad' }, mail.text)], size(mail.text)],
    ['What became of it', () => fatePart()],
    ['Checks', () => checksPart(mail)],
    ['Headers', () => headersPart(mail)],
    mail.html !== null && ['HTML source', () => [make('pre', { class: 'pad', id: 'html-source' }, beginning(mail.html))]],
    ['Source', () => sourcePart(mail)],
    mail.attachments.length > 0 && ['Attachments', () => attachmentsPart(mail), number(mail.attachments.length)],
    mail.links.length > 0 && ['Links', () => linksPart(mail), number(mail.links.length)],
    ['JSON', () => jsonPart(mail)],
  ].filter(Boolean);
  const panel = make('div', { id: 'part', role: 'tabpanel', tabindex: 0 });
  const list = make('div', { id: 'parts', role: 'tablist', 'aria-label': 'Parts of the mail' });
  const tabs = parts.map(([name, draw, count], index) => make('button', { role: 'tab', id: `part-${index}`, 'aria-controls': 'part', onclick: () => {
    part = name;
    select(tabs, tabs[index]);
    panel.setAttribute('aria-labelledby', `part-${index}`);
    panel.replaceChildren(...[draw()].flat());
  } }, name, count ? make('span', { class: 'count' }, count) : null));
  list.append(...tabs);
  arrows(list);
  $('mail').replaceChildren(head, list, panel);
  tabs[0].click();
  if (hadFocus) title.focus({ preventScroll: true });
  loadFate(mail);
}

const size = (text) => kilobytes(new TextEncoder().encode(text).length);
function kilobytes(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

let isPhone = false;
function htmlPart(mail) {
  // An empty `sandbox` forbids scripts, forms, windows, navigation and an origin. The answer's own policy does too.
  const frame = make('iframe', { sandbox: '', referrerpolicy: 'no-referrer', title: 'The mail as HTML', src: `${pathOf(mail.ses_message_id)}/html` });
  const stage = make('div', { class: isPhone ? 'stage phone' : 'stage' }, frame);
  const phone = make('button', { 'aria-pressed': String(isPhone), onclick: () => {
    isPhone = !isPhone;
    phone.setAttribute('aria-pressed', String(isPhone));
    stage.classList.toggle('phone', isPhone);
  } }, 'Phone width');
  const images = mail.remote_images ? `${plural(mail.remote_images, 'remote image is', 'remote images are')} not loaded. ` : '';
  const links = mail.links.length ? 'Links do nothing here. Open them under Links.' : '';
  return [make('div', { class: 'note' }, make('span', {}, images + links || 'Nothing in this mail can run, load or open anything.'), phone), stage];
}

/** What fits on a page of a text that may be long. */
const beginning = (text) => (text.length > 1_000_000 ? `${text.slice(0, 1_000_000)}\n… (${number(text.length)} characters)` : text);
function table(lines) {
  return make('table', { class: 'left' }, make('tbody', {}, lines.map(([name, ...values]) => make('tr', {}, make('th', { scope: 'row' }, name), ...values.map((value) => make('td', {}, value))))));
}
function headersPart(mail) {
  const people = [['From', mail.from], ['To', mail.to.join(', ')], ['Cc', mail.cc.join(', ')], ['Bcc', mail.bcc.join(', ')], ['Reply-To', mail.reply_to.join(', ')],
    ['Subject', mail.subject]].filter(([, value]) => value);
  const lines = mail.raw ? Object.entries(mail.headers) : [...people, ...Object.entries(mail.headers)];
  const ids = [['SES’s id', mail.ses_message_id], ['Okite’s id', mail.id ?? 'none: Okite did not send it'], ...mail.tags.map((tag) => [`Tag ${tag.name}`, tag.value])];
  return [make('div', { class: 'pad' }, table(lines), make('p', { class: 'quiet small' }, mail.raw ? 'The headers as they were sent to SES, which keeps those that begin with X-SES- to itself. SES also has, outside the mail:'
    : 'The headers as they were sent to SES, which adds Date, Message-ID and MIME headers. SES also has, outside the mail:'), table(ids))];
}
function sourcePart(mail) {
  const path = pathOf(mail.ses_message_id);
  const text = make('pre', { class: 'pad', id: 'source' }, 'Reading …');
  const load = async () => {
    try {
      const answer = await fetch(`${path}/source`);
      if (!answer.ok) throw new Error((await answer.json()).message);
      const source = await answer.text();
      text.textContent = beginning(source);
    } catch (error) { text.textContent = error.message; }
  };
  load();
  return [make('div', { class: 'note' }, make('span', {}, mail.raw ? 'As recipients receive it, without what SES adds' : 'As SES would build it, more or less. Its boundaries and encodings are its own.'),
    make('a', { class: 'button', href: `${path}/message.eml`, download: `${mail.ses_message_id}.eml` }, 'Download .eml')), text];
}
function attachmentsPart(mail) {
  const files = mail.attachments.map((file, index) => {
    const bytes = Math.floor(file.content.length * 3 / 4) - (file.content.match(/=*$/)[0].length);
    return [file.filename || '(no name)', file.content_type ?? '', file.content_id ? `cid:${file.content_id}` : '', `${number(bytes)} bytes`,
      make('a', { class: 'button', href: `${pathOf(mail.ses_message_id)}/attachments/${index}`, download: file.filename }, 'Download')];
  });
  return [make('div', { class: 'pad' }, table(files))];
}
function linksPart(mail) {
  const items = mail.links.map((link) => make('li', {}, link.text ? `${link.text}: ` : '', make('a', { href: link.href, target: '_blank', rel: 'noopener noreferrer' }, link.href)));
  return [make('div', { class: 'pad' }, make('p', { class: 'quiet small' }, 'Each link opens in a new window.'), make('ol', {}, items))];
}
const GRAVITY = { good: ['good', 'good'], note: ['note', ''], warning: ['warning', 'warn'], fault: ['fault', 'bad'] };
function checksPart(mail) {
  const pad = make('div', { class: 'pad', id: 'checks' }, 'Looking …');
  const mine = mail.ses_message_id;
  const finding = (each) => [chip(...GRAVITY[each.level]), each.message];
  const rowsOf = (list) => table(list.map((each) => finding(each)));
  const draw = ({ size: bytes, unsubscribe, links, images }) => {
    const ours = unsubscribe.uris.find((uri) => /^http:\/\/127\.0\.0\.1:\d+\/unsubscribe\//.test(uri));
    const isBad = (link) => link.level === 'fault' || link.level === 'warning';
    const ordered = [...links.filter(isBad), ...links.filter((link) => !isBad(link))];
    return [
      make('h3', {}, 'Size'), table([[...finding(bytes), `HTML ${kilobytes(bytes.html_bytes)}, message ${kilobytes(bytes.message_bytes)}`]]),
      make('h3', {}, 'Unsubscribing'), rowsOf(unsubscribe.findings),
      ours ? make('p', {}, make('a', { class: 'button', href: ours, target: '_blank', rel: 'noopener noreferrer' }, 'Open the unsubscribe page')) : null,
      make('p', { class: 'quiet small' }, unsubscribe.one_click ? 'The fields are those of RFC 8058: mailbox providers can offer one click.' : 'Mailbox providers cannot offer to unsubscribe with one click (RFC 8058).'),
      make('h3', {}, `Images, ${number(images.total)}`),
      images.findings.length ? rowsOf(images.findings) : make('p', { class: 'quiet' }, images.total ? 'Each has a text for people who do not see it.' : 'None.'),
      images.without_alt.length ? make('ul', { class: 'plain-list' }, images.without_alt.map((src) => make('li', {}, make('code', {}, src || '(no address)')))) : null,
      make('h3', {}, `Links, ${number(links.length)}`),
      ordered.length ? table(ordered.map((link) => [chip(...GRAVITY[link.level]), [link.text ? `${link.text}: ` : '', make('code', {}, link.href || '(no address)')], link.message])) : make('p', { class: 'quiet' }, 'None.'),
      make('p', { class: 'quiet small' }, 'Nothing is fetched: links are judged by their form.'),
    ].filter(Boolean);
  };
  call('GET', `${pathOf(mine)}/checks`).then((found) => pad.replaceChildren(...draw(found)), (error) => { pad.textContent = error.message; });
  return [pad];
}
function jsonPart(mail) {
  const brief = (name, value) => (name === 'content' && value.length > 400 ? `${value.slice(0, 80)}… (${number(value.length)} characters)` : value);
  const { links, remote_images, ...source } = mail;
  const path = pathOf(mail.ses_message_id);
  return [make('div', { class: 'note' }, make('span', {}, 'What GET ', make('a', { href: path, target: '_blank', rel: 'noopener' }, path), ' answers')),
    make('pre', { class: 'pad' }, JSON.stringify(source, brief, 2).slice(0, 1_000_000))];
}

/** What Okite has recorded of the open mail. @type {any} */
let record = null;
async function loadFate(mail) {
  record = { id: mail.ses_message_id, mail, email: null, trouble: null };
  const mine = record;
  if (mail.id === null) {
    mine.trouble = 'Okite did not send this mail and has no record of it.';
  } else {
    try { mine.email = await call('GET', `/emails/${encodeURIComponent(mail.id)}`); } catch (error) { mine.trouble = error.message; }
  }
  if (record !== mine || opened !== mine.id) return;
  if (part === 'What became of it') $('part').replaceChildren(...fatePart());
}
/** Reads the state of the open mail again, from where the list has it. */
async function loadState() {
  const mine = record;
  if (!mine) return;
  const query = `summary=true&limit=1&q=${encodeURIComponent(`"${mine.id}"`)}`;
  try {
    const { data: [mail] } = await call('GET', `/_local/outbox?${query}`);
    if (!mail || opened !== mine.id) return;
    mine.mail.state = mail.state;
    $('fate')?.replaceChildren(stateChip(mail.state));
  } catch (error) { if ($('gone').hidden) failed(error); }
}
function fatePart() {
  if (!record.email) return [make('p', { class: 'pad quiet' }, record.trouble ?? 'Asking …')];
  const { email, mail } = record;
  const verdicts = email.recipients.map((each) => [each.email, chip(each.status.replace('_', ' '), each.status === 'accepted' ? 'good' : 'warn'), each.reason ? `${each.reason} since ${each.since}` : '']);
  const recorded = email.events.map((each) => [time(each.at), stateChip(each.type), [each.email ?? 'the mail', each.forwarded ? ' (forwarded)' : ''].join(''), [each.subtype, each.bounce_reason?.replaceAll('_', ' '), each.diagnostic].filter(Boolean).join(': ')]);
  return [make('div', { class: 'pad' },
    email.last_event === mail.state ? null : make('p', {}, 'SES published ', stateChip(mail.state), ', and Okite has recorded ', stateChip(email.last_event), '. The view Events shows which event was not handled.'),
    make('h3', {}, 'Recipients'), table(verdicts), make('h3', {}, 'Events'), recorded.length ? table(recorded) : make('p', { class: 'quiet' }, 'None yet.'))];
}
