// Queue.

/** The mails that wait, by their ids. */
const waiting = new Map();
/** When a single mail was asked for, or left: a page that was asked for before that is out of date about it. */
const askedAt = new Map();
/** Whether all pages were read once. */
let isQueueKnown = false;
let isLoadingQueue = false;
let queueLoadedAt = 0;
/** How long to leave the API alone: as long as it was asked, and two seconds at least. */
let queueRest = 0;
/** No mail that is older than this id waits, of those that were looked at. */
let lookedUpTo = '';
/** How many mails were looked at when there were more; 0 if all were. */
let looked = 0;
/** The newest mails among which those that wait are looked for. */
const QUEUE_PAGES = 10;
/** How many mails are shown at first, and how many more at a time. */
const QUEUE_SHOWN = 100;
let queueShown = QUEUE_SHOWN;
/** How long the row of a mail may say that it is being sent after SES took it, in milliseconds. */
const SETTLED_WITHIN = 10_000;
const WAITS = { queued: '', scheduled: '', sending: 'good' };
const WAITS_FOR = { rate: 'room in the sending rate', quota: 'room in the quota', brake: 'the end of the brake', account: 'an account that may send again',
  deployment: 'the repair of the deployment', service: 'a service that is down' };
function why(email) {
  if (email.okite_state === 'sending') return 'it is being sent';
  if (email.okite_state === 'scheduled') return 'waits for its time';
  return `waits for ${WAITS_FOR[email.okite_reason] ?? 'its turn'}`;
}
/**
 * Keeps what was asked for about a mail at a time: a mail that waits, or null. What was asked for earlier than what is
 * known changes nothing.
 */
function putWaiting(id, email, at) {
  if ((askedAt.get(id) ?? -1) > at) return;
  const isChanged = email ? JSON.stringify(waiting.get(id)) !== JSON.stringify(email) : waiting.has(id);
  askedAt.set(id, at);
  if (!isChanged) return;
  if (email) waiting.set(id, email); else waiting.delete(id);
  drawQueue();
}
const waits = (email) => email.okite_deadline !== null && email.okite_state in WAITS;
/**
 * Reads the pages of the newest mails until it reaches the oldest mail that waits. It shows each page as it comes,
 * because the API takes a while for one. The ids sort by age. A mail that is being sent may wait later, so it counts as
 * one that waits here.
 */
async function loadQueue() {
  if (isLoadingQueue) return;
  isLoadingQueue = true;
  const began = performance.now();
  try {
    const read = new Set();
    /** @type {[string | null, boolean, string | null, string | null]} */
    let [after, isEnough, newest, oldest] = ['', false, null, null];
    for (let page = 0; after !== null && !isEnough && page < QUEUE_PAGES; page += 1) {
      const at = performance.now();
      const { data, has_more: hasMore } = await call('GET', `/emails?limit=100${after}`);
      for (const email of data) {
        read.add(email.id);
        newest ??= email.id;
        if (email.okite_state in WAITS) oldest = email.id;
        if ((askedAt.get(email.id) ?? -1) >= at) continue;
        if (waits(email)) waiting.set(email.id, email); else waiting.delete(email.id);
      }
      const last = hasMore ? data.at(-1)?.id : undefined;
      after = last ? `&after=${encodeURIComponent(last)}` : null;
      isEnough = isQueueKnown && last <= lookedUpTo && [...waiting.keys()].every((each) => read.has(each) || each > last);
      if (view === 'queue') drawQueue();
    }
    // What no page has is deleted, or older than the page looks.
    for (const id of waiting.keys()) if (!read.has(id) && (askedAt.get(id) ?? -1) < began) waiting.delete(id);
    for (const [id, at] of askedAt) if (at < began) askedAt.delete(id);
    lookedUpTo = oldest ?? newest ?? '';
    isQueueKnown = true;
    if (!isEnough) looked = after === null ? 0 : read.size;
    $('queue-note').textContent = looked === 0 ? '' : `Only the newest ${number(looked)} mails were looked at. The command okite queue counts all that wait.`;
    $('queue-note').hidden = looked === 0;
  } catch (error) { if (view === 'queue' && $('gone').hidden) failed(error); } finally { isLoadingQueue = false; }
  queueLoadedAt = performance.now();
  queueRest = Math.max(2000, queueLoadedAt - began);
  drawQueue();
}
let drawnQueue = '';
let drawingQueue = false;
function drawQueue() {
  if (drawingQueue) return;
  drawingQueue = true;
  requestAnimationFrame(() => { drawingQueue = false; drawQueueNow(); });
}
function drawQueueNow() {
  $('queue-count').textContent = waiting.size ? number(waiting.size) : '';
  const words = $('queue-search').value.toLowerCase().split(/\s+/).filter(Boolean);
  const state = $('queue-filter').value;
  const text = (email) => [email.subject, email.id, email.from, ...email.to, ...email.cc, ...email.bcc].join('\n').toLowerCase();
  const due = (email) => Date.parse(email.scheduled_at ?? email.created_at);
  const matching = [...waiting.values()].filter((email) => (!state || email.okite_state === state) && words.every((word) => text(email).includes(word)))
    .sort((one, other) => due(one) - due(other) || (one.id < other.id ? -1 : 1));
  const shown = matching.slice(0, queueShown);
  $('queue-rows').closest('table').hidden = matching.length === 0;
  $('no-queue').hidden = matching.length > 0;
  $('no-queue').textContent = waiting.size ? 'None of the mails that wait matches.' : isQueueKnown ? 'No mail waits.' : 'Looking for mails that wait …';
  $('more-queue').hidden = matching.length <= shown.length;
  $('more-queue').textContent = `Show more: these are ${number(shown.length)} of ${number(matching.length)}`;
  // What has not changed stays, so that a button keeps its focus and its place.
  const drawn = JSON.stringify(shown);
  if (drawn === drawnQueue) return;
  drawnQueue = drawn;
  const recalled = focused()?.dataset?.recall;
  $('queue-rows').replaceChildren(...shown.map(waitingRow));
  if (recalled) {
    const button = (recall) => $('queue-rows').querySelector(`[data-recall="${CSS.escape(recall)}"]`);
    (button(recalled) ?? button(recalled.replace('Send now', 'Cancel')) ?? $('queue-rows').querySelector('button') ?? $('queue-search')).focus();
  }
}
function waitingRow(email) {
  const people = [...email.to, ...email.cc, ...email.bcc];
  const names = people.length > 3 ? `${people.slice(0, 3).join(', ')} and ${number(people.length - 3)} more` : people.join(', ');
  const subject = email.subject || '(no subject)';
  const button = (name, act) => make('button', { 'data-recall': `${name} ${email.id}`, 'aria-label': `${name}: ${subject}`, onclick: act }, name);
  const { okite_state: state } = email;
  return make('tr', {},
    make('td', {}, subject, make('div', { class: 'quiet small' }, `${email.from} → ${names}`)),
    make('td', {}, chip(state, WAITS[state]), make('div', { class: 'quiet small' }, why(email))),
    make('td', {}, email.scheduled_at ? ['at ', time(email.scheduled_at)] : ['since ', time(email.created_at)],
      make('div', { class: 'quiet small' }, 'not after ', time(email.okite_deadline))),
    make('td', {}, state === 'scheduled' ? [button('Send now', () => sendNow(email)), ' '] : null, state === 'sending' ? null : button('Cancel', () => cancelWaiting(email))));
}
async function recall(email, method, path, body, said) {
  try {
    await call(method, `/emails/${encodeURIComponent(email.id)}${path}`, body);
    toast(said);
  } catch (error) { failed(error); }
  // This mail alone: to read all again takes a while when many wait.
  const at = performance.now();
  try {
    const now = await call('GET', `/emails/${encodeURIComponent(email.id)}`);
    putWaiting(email.id, waits(now) ? now : null, at);
  } catch { loadQueue(); }
}
const cancelWaiting = (email) => recall(email, 'POST', '/cancel', undefined, `“${email.subject}” is cancelled. It will not be sent.`);
const sendNow = (email) => recall(email, 'PATCH', '', { scheduled_at: 'in 0 seconds' }, `“${email.subject}” is sent as soon as there is room.`);
const drawFirst = () => { queueShown = QUEUE_SHOWN; drawQueue(); };
$('queue-search').addEventListener('input', drawFirst);
$('queue-filter').addEventListener('change', drawFirst);
$('more-queue').addEventListener('click', () => { queueShown += QUEUE_SHOWN; drawQueue(); });
// No event tells that a mail waits, so the page asks: often where it is looked at.
setInterval(() => {
  const rest = view === 'queue' ? queueRest : Math.max(queueRest, 15_000);
  if (!document.hidden && performance.now() - queueLoadedAt >= rest) loadQueue();
}, 500);
