// The list of mails. The server searches and counts; the page holds the rows around those that are seen, and a node for
// each of those. So 50,000 mails are as quick as 50.

/** The height of a row in pixels, as page.css has it. */
const ROW = 46;
/** How many rows are asked for at a time, and how many of them lie above those that are seen. */
const ROWS_ASKED = 120;
const ROWS_ABOVE = 40;
/** How many rows beyond the edges have a node. */
const ROWS_BEYOND = 8;
/** How many ids a request names at most. */
const IDS_MAX = 10_000;

/** What the server says about the whole outbox, and about what the search finds. */
let outbox = { total: 0, unread: 0, matching: 0 };
/** The summaries of mails by their place in the list; only some are known. */
let rows = new Map();
/** The nodes by their place in the list. */
const nodes = new Map();
/** The place of the row that Tab leads to. */
let reached = 0;
/** The ids of the chosen mails. */
const chosen = new Set();
/** The place of the row that was chosen last, from which Shift extends the choice. */
let chosenLast = 0;
/** The search that the rows are the answer to. */
let searched = '';

const idOf = (place) => rows.get(place)?.ses_message_id ?? null;
function placeOf(id) {
  for (const [place, mail] of rows) if (mail.ses_message_id === id) return place;
  return -1;
}

// ---- Reading

let isLoadingMails = false;
let isStale = false;
let refreshTimer;
/** Reads the list again soon: at once for one change, and a few times a second for many. */
function refreshMails() {
  refreshTimer ??= setTimeout(() => { refreshTimer = undefined; loadMails(); }, 120);
}
async function loadMails() {
  if (isLoadingMails) { isStale = true; return; }
  isLoadingMails = true;
  try {
    do {
      isStale = false;
      const typed = $('mail-search').value;
      const first = Math.max(Math.floor($('mail-scroll').scrollTop / ROW) - ROWS_ABOVE, 0);
      const query = `summary=true&limit=${ROWS_ASKED}&skip=${first}&q=${encodeURIComponent(typed)}`;
      const answer = await fetch(`/_local/outbox?${query}`);
      const page = await answer.json();
      if (answer.status === 400) {
        searchNote(page.message);
        // The rows of the search before are no answer to this one.
        takePage({ ...outbox, data: [], matching: 0 }, 0, typed);
        continue;
      }
      if (!answer.ok) throw new Error(page.message);
      searchNote('');
      takePage(page, first, typed);
    } while (isStale);
  } catch (error) { if ($('gone').hidden) failed(error); } finally { isLoadingMails = false; }
}
function searchNote(text) {
  $('search-note').hidden = text === '';
  $('search-note').replaceChildren(...(text ? withCode(`${text[0].toUpperCase()}${text.slice(1)}.`) : []));
  $('mail-search').setAttribute('aria-invalid', String(text !== ''));
}
/** Takes a page of the list. Whoever reads further below stays at the same mail when others come above it. */
function takePage(page, first, typed) {
  const scroll = $('mail-scroll');
  const isAnother = typed !== searched;
  const top = Math.floor(scroll.scrollTop / ROW);
  const [anchor, reachedId] = [idOf(top), idOf(reached)];
  const grown = page.matching - outbox.matching;
  rows = new Map(page.data.map((mail, index) => [first + index, mail]));
  outbox = { total: page.total, unread: page.unread, matching: page.matching };
  searched = typed;
  if (isAnother) {
    chosen.clear();
    reached = 0;
    scroll.scrollTop = 0;
  } else {
    const found = reachedId === null ? -1 : placeOf(reachedId);
    reached = found >= 0 ? found : Math.min(Math.max(reached + (grown > 0 && reached > 0 ? grown : 0), 0), Math.max(page.matching - 1, 0));
    if (top > 0 && anchor !== null) {
      const now = placeOf(anchor);
      const moved = now >= 0 ? now - top : Math.max(grown, 0);
      if (moved !== 0) { sizeList(); scroll.scrollTop += moved * ROW; }
    }
  }
  drawMails();
}

// ---- Drawing

const sizeList = () => { $('mail-list').style.height = `${outbox.matching * ROW}px`; };
let isDrawingMails = false;
/** Draws the rows that are seen, at most once a frame. */
function drawMails() {
  if (isDrawingMails) return;
  isDrawingMails = true;
  requestAnimationFrame(() => { isDrawingMails = false; drawMailsNow(); });
}
function drawMailsNow() {
  const scroll = $('mail-scroll');
  const list = $('mail-list');
  sizeList();
  $('mail-count').textContent = outbox.total ? number(outbox.total) : '';
  document.title = outbox.total ? `Okite (${number(outbox.total)})` : 'Okite';
  $('delete-all').disabled = outbox.total === 0;
  scroll.hidden = outbox.matching === 0;
  drawEmpty();
  drawChoice();
  const from = Math.max(Math.floor(scroll.scrollTop / ROW) - ROWS_BEYOND, 0);
  const to = Math.min(Math.ceil((scroll.scrollTop + scroll.clientHeight) / ROW) + ROWS_BEYOND, outbox.matching);
  const wanted = new Set();
  for (let place = from; place < to; place += 1) wanted.add(place);
  // The row that has the focus, or would get it, stays wherever the list is.
  if (outbox.matching > 0) wanted.add(reached);
  const hadFocus = list.contains(focused());
  for (const [place, node] of nodes) if (!wanted.has(place)) { nodes.delete(place); node.remove(); }
  let isMissing = false;
  let before = list.firstElementChild;
  for (const place of [...wanted].sort((one, other) => one - other)) {
    let node = nodes.get(place);
    if (!node) {
      node = make('li', { role: 'option' });
      node.style.top = `${place * ROW}px`;
      nodes.set(place, node);
    }
    if (node === before) before = before.nextElementSibling; else list.insertBefore(node, before);
    fillRow(node, place);
    isMissing ||= !rows.has(place) && place >= from && place < to;
  }
  if (hadFocus && focused() !== nodes.get(reached)) nodes.get(reached)?.focus({ preventScroll: true });
  if (isMissing) loadMails();
}
const STATES_OF_MAILS = { sent: '', delivered: 'good', opened: 'good', clicked: 'good', delivery_delayed: 'warn', failed: 'bad', bounced: 'bad', complained: 'bad' };
const stateChip = (state) => chip(state.replace('_', ' '), STATES_OF_MAILS[state] ?? '');
function fillRow(node, place) {
  const mail = rows.get(place);
  const isChosen = mail !== undefined && chosen.has(mail.ses_message_id);
  const isOpen = mail !== undefined && mail.ses_message_id === opened;
  const drawn = JSON.stringify([mail?.ses_message_id, mail?.state, mail?.read, isChosen, isOpen, place === reached, outbox.matching]);
  if (node.dataset.drawn === drawn) return;
  node.dataset.drawn = drawn;
  node.tabIndex = place === reached ? 0 : -1;
  node.dataset.place = String(place);
  node.dataset.id = mail?.ses_message_id ?? '';
  node.className = [mail && !mail.read ? 'fresh' : '', isOpen ? 'open' : ''].join(' ');
  node.setAttribute('aria-selected', String(isChosen));
  node.setAttribute('aria-setsize', String(outbox.matching));
  node.setAttribute('aria-posinset', String(place + 1));
  if (isOpen) node.setAttribute('aria-current', 'true'); else node.removeAttribute('aria-current');
  if (!mail) { node.replaceChildren(make('span', { class: 'quiet small' }, 'Reading …')); return; }
  const isBulk = mail.tags.some((tag) => tag.name === 'okite_stream' && tag.value === 'bulk');
  node.replaceChildren(
    make('span', { class: 'mark', 'aria-hidden': 'true', title: 'Choose (x)' }),
    make('div', { class: 'line small quiet' }, make('span', { class: 'cut' }, `${who(mail.decoded.from)} → ${crowd(recipients(mail))}`), time(mail.at)),
    make('div', { class: 'line' },
      make('span', { class: 'cut' }, make('span', { class: 'subject' }, mail.subject || '(no subject)'), mail.read ? null : make('span', { class: 'unseen' }, ' (unread)'),
        make('span', { class: 'quiet small' }, `  ${mail.snippet}`)),
      mail.attachments ? make('span', { class: 'chip' }, plural(mail.attachments, 'file')) : null,
      isBulk ? chip('bulk') : null,
      ...ownTags(mail).slice(0, 1).map((tag) => chip(`${tag.name}:${tag.value}`.slice(0, 24))),
      stateChip(mail.state)));
}
function drawEmpty() {
  const empty = $('no-mails');
  empty.hidden = outbox.matching > 0 || !$('search-note').hidden;
  const kind = outbox.total ? 'none' : 'first';
  if (empty.hidden || empty.dataset.kind === kind) return;
  empty.dataset.kind = kind;
  empty.replaceChildren(...(outbox.total ? ['No mail matches.'] : ['No mails yet. Send a first one:', make('pre', {}, make('code', {},
    `curl ${location.origin}/emails -H 'Authorization: Bearer ${KEY}' -H 'Content-Type: application/json' -d '{"from":"Acme <hello@example.com>","to":"success@simulator.amazonses.com","subject":"Hello","text":"It works."}'`))]));
}

// ---- Choosing several

function choose(place, isMore) {
  const range = isMore ? [Math.min(place, chosenLast), Math.max(place, chosenLast)] : [place, place];
  const isOn = isMore || !chosen.has(idOf(place));
  for (let each = range[0]; each <= range[1]; each += 1) {
    const id = idOf(each);
    // A row that is not known cannot be chosen one by one: the button chooses all that are found.
    if (id !== null && (chosen.size < IDS_MAX || !isOn)) { if (isOn) chosen.add(id); else chosen.delete(id); }
  }
  chosenLast = place;
  drawMails();
}
function drawChoice() {
  $('choice').hidden = chosen.size === 0;
  $('choice-count').textContent = `${number(chosen.size)} chosen`;
}
/** Marks the row that has the focus as read or unread, or the chosen ones as read if one of them is not. */
function toggleRead() {
  const here = rows.get(reached);
  if (chosen.size > 0) markMails([...chosen], [...rows.values()].some((mail) => chosen.has(mail.ses_message_id) && !mail.read));
  else if (here) markMails([here.ses_message_id], !here.read);
}
const unchoose = () => { chosen.clear(); drawMails(); };
/** Changes the chosen mails, or one. */
async function changeMails(part, ids, members = {}) {
  try {
    const { changed } = await call('POST', `/_local/outbox/${part}`, { ids, ...members });
    return changed;
  } catch (error) { failed(error); return 0; } finally { loadMails(); }
}
async function markMails(ids, read) {
  for (const mail of rows.values()) if (ids.includes(mail.ses_message_id)) mail.read = read;
  drawMails();
  await changeMails('mark', ids, { read });
}
async function deleteMails(ids) {
  const place = ids.length === 1 ? placeOf(ids[0]) : reached;
  const wasInMail = $('mail').contains(focused());
  const deleted = await changeMails('delete', ids);
  for (const id of ids) chosen.delete(id);
  if (opened !== null && ids.includes(opened)) close();
  toast(`${plural(deleted, 'mail is', 'mails are')} deleted.`);
  if (place >= 0 && (wasInMail || focused() === document.body)) reach(Math.max(Math.min(place, outbox.matching - 1), 0));
}
/** Asks before it acts. */
function ask(title, action, act) {
  const dialog = $('confirm');
  $('confirm-title').textContent = title;
  $('confirm-yes').textContent = action;
  dialog.returnValue = '';
  dialog.onclose = () => { if (dialog.returnValue === 'yes') act(); };
  dialog.showModal();
}
/** Deletes the chosen mails, or the one that has the focus or is read. */
function deleteSome() {
  const one = $('mail').contains(focused()) ? opened : idOf(reached);
  const ids = chosen.size > 0 ? [...chosen] : one === null ? [] : [one];
  if (ids.length > 1) ask(`Delete ${number(ids.length)} mails?`, 'Delete', () => deleteMails(ids));
  else if (ids.length === 1) deleteMails(ids);
}

// ---- Moving

/** Gives a row the focus. */
function reach(place) {
  if (outbox.matching === 0) return;
  reached = Math.min(Math.max(place, 0), outbox.matching - 1);
  const scroll = $('mail-scroll');
  const top = reached * ROW;
  if (top < scroll.scrollTop) scroll.scrollTop = top;
  else if (top + ROW > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top + ROW - scroll.clientHeight;
  drawMailsNow();
  nodes.get(reached)?.focus({ preventScroll: true });
}
/** Selects the next or the previous entry of the view. */
function move(by) {
  if (view !== 'outbox') {
    const stops = [...$(view).querySelectorAll(view === 'events' ? 'summary' : 'tbody button')];
    const at = stops.indexOf(focused());
    stops[Math.min(Math.max(at + by, 0), stops.length - 1)]?.focus();
    return;
  }
  const isReading = $('mail').contains(focused());
  const isInList = $('mail-list').contains(focused());
  const from = isReading && opened !== null ? placeOf(opened) : reached;
  const place = Math.min(Math.max(isReading || isInList ? from + by : from, 0), outbox.matching - 1);
  if (!isReading) { reach(place); return; }
  const next = idOf(place);
  if (next !== null) { reached = place; drawMails(); show(next); }
}

// ---- What comes from the server

const arrivals = [];
let newcomers = 0;
let newsTimer;
function came(mail) {
  // It may have waited. Its row says that it is being sent until the sender has settled it, so an answer of the next
  // seconds is older than this.
  putWaiting(mail.id, null, performance.now() + SETTLED_WITHIN);
  arrivals.push([performance.now(), recipients(mail).length]);
  newcomers += 1;
  clearTimeout(newsTimer);
  newsTimer = setTimeout(() => {
    $('news').textContent = newcomers === 1 ? `New mail: ${mail.subject}, to ${crowd(recipients(mail))}` : `${newcomers} new mails`;
    newcomers = 0;
  }, 300);
  refreshMails();
}
function cleared() {
  chosen.clear();
  close();
  refreshMails();
}

$('mail-scroll').addEventListener('scroll', drawMails);
addEventListener('resize', drawMails);
$('mail-list').addEventListener('click', (event) => {
  const row = event.target.closest('[role=option]');
  if (!row) return;
  const place = Number(row.dataset.place);
  if (event.shiftKey || event.ctrlKey || event.metaKey || event.target.closest('.mark')) {
    reach(place);
    choose(place, event.shiftKey);
  } else if (row.dataset.id) { reach(place); show(row.dataset.id); }
});
$('mail-list').addEventListener('keydown', (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
  if (by !== undefined) {
    event.preventDefault();
    if (event.shiftKey && Number.isFinite(by)) { if (chosen.size === 0) chosenLast = reached; move(by); choose(reached, true); } else move(by);
  }
  if ((event.key === 'Enter' || event.key === ' ') && event.target.dataset.id) { event.preventDefault(); show(event.target.dataset.id); }
});
let searchTimer;
$('mail-search').addEventListener('input', () => { clearTimeout(searchTimer); searchTimer = setTimeout(loadMails, 120); });
$('mail-search').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' || event.key === 'ArrowDown') { event.preventDefault(); reach(0); }
});
$('choose-all').addEventListener('click', () => {
  const typed = searched.trim();
  const found = typed ? `all ${number(outbox.matching)} mails that are found` : `all ${number(outbox.total)} mails`;
  ask(`Delete ${found}?`, 'Delete', async () => {
    if (!typed) { await deleteAll(); return; }
    try { toast(`${plural((await call('POST', '/_local/outbox/delete', { q: typed })).changed, 'mail is', 'mails are')} deleted.`); } catch (error) { failed(error); }
    unchoose();
    loadMails();
  });
});
$('choose-none').addEventListener('click', () => { unchoose(); reach(reached); });
$('mark-read').addEventListener('click', () => markMails([...chosen], true));
$('mark-unread').addEventListener('click', () => markMails([...chosen], false));
$('delete-chosen').addEventListener('click', deleteSome);
async function deleteAll() {
  try { await call('DELETE', '/_local/outbox'); } catch (error) { failed(error); }
}
$('delete-all').addEventListener('click', () => ask('Delete all mails of the outbox?', 'Delete all', deleteAll));
