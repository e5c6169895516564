// Outbox.

/** The summaries, newest first, by SES's ids. */
let mails = new Map();
/** Mails that arrived while the outbox was being read. */
let arriving = null;
/** The worst event of each mail. */
const fates = new Map();
const FATES = { Send: ['sent', ''], Delivery: ['delivered', 'good'], DeliveryDelay: ['delayed', 'warn'], Reject: ['rejected', 'bad'],
  'Rendering Failure': ['failed', 'bad'], Bounce: ['bounced', 'bad'], Complaint: ['complaint', 'bad'] };
const WORSE = Object.keys(FATES);
const seen = new Set(remembered());
let shown = SHOWN;
let opened = null;
let part = null;

function remembered() {
  try { return JSON.parse(sessionStorage.getItem('seen') ?? 'null') ?? []; } catch { return []; }
}
function markSeen(id) {
  seen.add(id);
  try { sessionStorage.setItem('seen', JSON.stringify([...seen].slice(-1000))); } catch { /* a full store forgets, no more */ }
}

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
const haystack = (mail) => mail.haystack ??= [mail.subject, mail.snippet, mail.id, full(mail.decoded.from), ...recipients(mail).map(full),
  ...mail.tags.flatMap((tag) => [tag.name, tag.value, `${tag.name}:${tag.value}`])].join('\n').toLowerCase();

function found() {
  const words = $('mail-search').value.toLowerCase().split(/\s+/).filter(Boolean);
  const all = [...mails.values()];
  return words.length ? all.filter((mail) => words.every((word) => haystack(mail).includes(word))) : all;
}

function option(mail) {
  const id = mail.ses_message_id;
  const fate = fates.get(id);
  const isFresh = !seen.has(id);
  const stream = streamOf(mail);
  return make('li', { role: 'option', id: `mail-${id}`, 'data-id': id, tabindex: -1, 'aria-selected': String(opened === id), class: isFresh ? 'fresh' : '' },
    make('div', { class: 'line small quiet' }, make('span', { class: 'cut' }, `${who(mail.decoded.from)} → ${crowd(recipients(mail))}`), time(mail.at)),
    make('div', { class: 'cut subject' }, mail.subject || '(no subject)', isFresh ? make('span', { class: 'unseen' }, ' (unread)') : null),
    make('div', { class: 'line small quiet' }, make('span', { class: 'cut' }, mail.snippet || ' '),
      mail.attachments ? make('span', { class: 'chip' }, plural(mail.attachments, 'file')) : null,
      stream === 'bulk' ? chip('bulk') : null,
      ...ownTags(mail).slice(0, 1).map((tag) => chip(`${tag.name}:${tag.value}`.slice(0, 24))),
      fate ? chip(...FATES[fate]) : null));
}

let drawing = false;
/** Draws the list, at most once a frame. */
function drawMails() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const list = $('mail-list');
    const reached = list.contains(focused()) ? focused().dataset.id : null;
    const matching = found();
    const top = list.scrollTop;
    const options = matching.slice(0, shown).map(option);
    list.replaceChildren(...options);
    list.scrollTop = top;
    const reachable = options.find((each) => each.dataset.id === (reached ?? opened)) ?? options[0];
    if (reachable) reachable.tabIndex = 0;
    if (reached && reachable?.dataset.id === reached) reachable.focus({ preventScroll: true });
    $('more').hidden = matching.length <= shown;
    $('mail-count').textContent = mails.size ? number(mails.size) : '';
    $('delete-all').disabled = mails.size === 0;
    list.hidden = matching.length === 0;
    const empty = $('no-mails');
    empty.hidden = matching.length > 0;
    empty.replaceChildren(...(mails.size ? ['No mail matches.'] : ['No mails yet. Send a first one:', make('pre', {}, make('code', {},
      `curl ${location.origin}/emails -H 'Authorization: Bearer ${KEY}' -H 'Content-Type: application/json' -d '{"from":"Acme <hello@example.com>","to":"success@simulator.amazonses.com","subject":"Hello","text":"It works."}'`))]));
    document.title = mails.size ? `Okite (${number(mails.size)})` : 'Okite';
  });
}

async function loadMails() {
  arriving = new Map();
  try {
    const listed = await call('GET', '/_local/outbox?summary=true');
    const all = new Map(listed.map((mail) => [mail.ses_message_id, mail]));
    for (const [id, mail] of arriving) all.set(id, mail);
    mails = new Map([...all].reverse());
    if (opened && !mails.has(opened)) close();
  } catch (error) { failed(error); } finally { arriving = null; }
  drawMails();
}

const arrivals = [];
let newcomers = 0;
let newsTimer;
function came(mail) {
  if (arriving) { arriving.set(mail.ses_message_id, mail); return; }
  const isNew = !mails.has(mail.ses_message_id);
  if (isNew) mails = new Map([[mail.ses_message_id, mail], ...mails]);
  if (isNew) {
    // It may have waited.
    putWaiting(mail.id, null, performance.now());
    arrivals.push([performance.now(), recipients(mail).length]);
    newcomers += 1;
    clearTimeout(newsTimer);
    newsTimer = setTimeout(() => {
      $('news').textContent = newcomers === 1 ? `New mail: ${mail.subject}, to ${crowd(recipients(mail))}` : `${newcomers} new mails`;
      newcomers = 0;
    }, 300);
  }
  drawMails();
}
function cleared() {
  arriving?.clear();
  mails = new Map();
  close();
  drawMails();
}

/** Opens a mail, or closes the open one. */
async function open(id) {
  const focusBack = opened;
  opened = id;
  part = null;
  $('outbox').classList.toggle('open', id !== null);
  for (const each of $('mail-list').children) each.setAttribute('aria-selected', String(each.dataset.id === id));
  if (id === null) {
    $('mail').replaceChildren(make('div', { class: 'empty' }, 'Choose a mail: ', make('kbd', {}, 'j'), ' ', make('kbd', {}, 'k'), ' and ', make('kbd', {}, 'Enter')));
    const back = [...$('mail-list').children].find((each) => each.dataset.id === focusBack);
    if (focusBack && back && (document.activeElement === document.body || $('mail').contains(document.activeElement))) reach(back);
    return;
  }
  try {
    const mail = await call('GET', `/_local/outbox/${encodeURIComponent(id)}`);
    if (opened !== id) return;
    opened = mail.ses_message_id;
    markSeen(opened);
    drawMail(mail);
    drawMails();
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
    make('div', { class: 'line' }, title, backButton()),
    make('dl', { class: 'people', tabindex: 0, 'aria-label': 'Sender and recipients' },
      row('From', [mail.decoded.from]), row('To', mail.decoded.to), row('Cc', mail.decoded.cc), row('Bcc', mail.decoded.bcc),
      row('Reply-To', mail.decoded.reply_to), envelope(mail), make('dt', {}, 'Accepted'), make('dd', {}, time(mail.at, true))),
    make('div', { class: 'chips' }, make('span', { id: 'fate' }), stream ? chip(stream) : null, mail.raw ? chip('raw') : null, ...ownTags(mail).map((tag) => chip(`${tag.name}: ${tag.value}`))));
  const parts = [
    mail.html !== null && ['HTML', () => htmlPart(mail), size(mail.html)],
    mail.text !== null && ['Text', () => [make('pre', { class: 'pad' }, mail.text)], size(mail.text)],
    ['Headers', () => headersPart(mail)],
    mail.raw && ['Source', () => sourcePart(mail)],
    mail.attachments.length > 0 && ['Attachments', () => attachmentsPart(mail), number(mail.attachments.length)],
    mail.links.length > 0 && ['Links', () => linksPart(mail), number(mail.links.length)],
    ['What became of it', () => fatePart()],
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

function size(text) {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

let isPhone = false;
function htmlPart(mail) {
  // An empty `sandbox` forbids scripts, forms, windows, navigation and an origin. The answer's own policy does too.
  const frame = make('iframe', { sandbox: '', referrerpolicy: 'no-referrer', title: 'The mail as HTML', src: `/_local/outbox/${encodeURIComponent(mail.ses_message_id)}/html` });
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

function table(rows) {
  return make('table', { class: 'left' }, make('tbody', {}, rows.map(([name, ...values]) => make('tr', {}, make('th', { scope: 'row' }, name), ...values.map((value) => make('td', {}, value))))));
}
function headersPart(mail) {
  const people = [['From', mail.from], ['To', mail.to.join(', ')], ['Cc', mail.cc.join(', ')], ['Bcc', mail.bcc.join(', ')], ['Reply-To', mail.reply_to.join(', ')],
    ['Subject', mail.subject]].filter(([, value]) => value);
  const rows = mail.raw ? Object.entries(mail.headers) : [...people, ...Object.entries(mail.headers)];
  const ids = [['SES’s id', mail.ses_message_id], ['Okite’s id', mail.id ?? 'none: Okite did not send it'], ...mail.tags.map((tag) => [`Tag ${tag.name}`, tag.value])];
  return [make('div', { class: 'pad' }, table(rows), make('p', { class: 'quiet small' }, mail.raw ? 'The headers as they were sent to SES, which keeps those that begin with X-SES- to itself. SES also has, outside the mail:'
    : 'The headers as they were sent to SES, which adds Date, Message-ID and MIME headers. SES also has, outside the mail:'), table(ids))];
}
function sourcePart(mail) {
  const path = `/_local/outbox/${encodeURIComponent(mail.ses_message_id)}`;
  const text = make('pre', { class: 'pad', id: 'source' }, 'Reading …');
  const load = async () => {
    try {
      const answer = await fetch(`${path}/source`);
      if (!answer.ok) throw new Error((await answer.json()).message);
      const source = await answer.text();
      text.textContent = source.length > 1_000_000 ? `${source.slice(0, 1_000_000)}\n… (${number(source.length)} characters; download the file for the rest)` : source;
    } catch (error) { text.textContent = error.message; }
  };
  load();
  return [make('div', { class: 'note' }, make('span', {}, 'As recipients receive it, without what SES adds'),
    make('a', { class: 'button', href: `${path}/message.eml`, download: `${mail.ses_message_id}.eml` }, 'Download .eml')), text];
}
function attachmentsPart(mail) {
  const rows = mail.attachments.map((file, index) => {
    const bytes = Math.floor(file.content.length * 3 / 4) - (file.content.match(/=*$/)[0].length);
    return [file.filename || '(no name)', file.content_type ?? '', file.content_id ? `cid:${file.content_id}` : '', `${number(bytes)} bytes`,
      make('a', { class: 'button', href: `/_local/outbox/${encodeURIComponent(mail.ses_message_id)}/attachments/${index}`, download: file.filename }, 'Download')];
  });
  return [make('div', { class: 'pad' }, table(rows))];
}
function linksPart(mail) {
  const items = mail.links.map((link) => make('li', {}, link.text ? `${link.text}: ` : '', make('a', { href: link.href, target: '_blank', rel: 'noopener noreferrer' }, link.href)));
  return [make('div', { class: 'pad' }, make('p', { class: 'quiet small' }, 'Each link opens in a new window.'), make('ol', {}, items))];
}
function jsonPart(mail) {
  const brief = (name, value) => (name === 'content' && value.length > 400 ? `${value.slice(0, 80)}… (${number(value.length)} characters)` : value);
  const { links, remote_images, ...source } = mail;
  const path = `/_local/outbox/${encodeURIComponent(mail.ses_message_id)}`;
  return [make('div', { class: 'note' }, make('span', {}, 'What GET ', make('a', { href: path, target: '_blank', rel: 'noopener' }, path), ' answers')),
    make('pre', { class: 'pad' }, JSON.stringify(source, brief, 2).slice(0, 1_000_000))];
}

const LAST = { scheduled: '', queued: '', canceled: 'warn', sent: '', delivered: 'good', delivery_delayed: 'warn', bounced: 'bad', complained: 'bad', failed: 'bad' };
/** @type {any} */
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
  $('fate')?.replaceChildren(...(mine.email ? [chip(mine.email.last_event.replace('_', ' '), LAST[mine.email.last_event])] : []));
  if (part === 'What became of it') $('part').replaceChildren(...fatePart());
}
function fatePart() {
  if (!record.email) return [make('p', { class: 'pad quiet' }, record.trouble ?? 'Asking …')];
  const { email } = record;
  const verdicts = email.recipients.map((each) => [each.email, chip(each.status.replace('_', ' '), each.status === 'accepted' ? 'good' : 'warn'), each.reason ? `${each.reason} since ${each.since}` : '']);
  const events = email.events.map((each) => [time(each.at), chip(each.type.replace('_', ' '), LAST[each.type]), [each.email ?? 'the mail', each.forwarded ? ' (forwarded)' : ''].join(''), [each.subtype, each.bounce_reason?.replaceAll('_', ' '), each.diagnostic].filter(Boolean).join(': ')]);
  return [make('div', { class: 'pad' }, make('h3', {}, 'Recipients'), table(verdicts), make('h3', {}, 'Events'), events.length ? table(events) : make('p', { class: 'quiet' }, 'None yet.'))];
}

function reach(element) {
  for (const each of element.parentElement.children) each.tabIndex = -1;
  element.tabIndex = 0;
  element.focus();
  element.scrollIntoView({ block: 'nearest' });
}
/** Selects the next or the previous entry of a list. */
function move(by) {
  if (view === 'outbox') {
    const options = [...$('mail-list').children];
    const isReading = $('mail').contains(document.activeElement);
    const from = options.findIndex((each) => (isReading ? each.dataset.id === opened : each === document.activeElement));
    const start = from < 0 ? options.findIndex((each) => each.tabIndex === 0) - (by > 0 ? 1 : 0) : from;
    const next = options[Math.min(Math.max(start + by, 0), options.length - 1)];
    if (!next) return;
    if (isReading) { next.scrollIntoView({ block: 'nearest' }); show(next.dataset.id); } else reach(next);
  } else {
    const stops = [...$(view).querySelectorAll(view === 'events' ? 'summary' : 'tbody button')];
    const at = stops.indexOf(document.activeElement);
    stops[Math.min(Math.max(at + by, 0), stops.length - 1)]?.focus();
  }
}

$('mail-list').addEventListener('click', (event) => {
  const chosen = event.target.closest('[role=option]');
  if (chosen) { reach(chosen); show(chosen.dataset.id); }
});
$('mail-list').addEventListener('keydown', (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
  if (by !== undefined) { event.preventDefault(); move(by); }
  if ((event.key === 'Enter' || event.key === ' ') && event.target.dataset.id) { event.preventDefault(); show(event.target.dataset.id); }
});
$('mail-search').addEventListener('input', () => { shown = SHOWN; drawMails(); });
$('mail-search').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' || event.key === 'ArrowDown') { event.preventDefault(); const first = $('mail-list').firstElementChild; if (first) reach(first); }
});
$('more').addEventListener('click', () => { shown += SHOWN; drawMails(); });
$('delete-all').addEventListener('click', () => { $('confirm').returnValue = ''; $('confirm').showModal(); });
$('confirm').addEventListener('close', async () => {
  if ($('confirm').returnValue !== 'yes') return;
  try { await call('DELETE', '/_local/outbox'); } catch (error) { failed(error); }
});
