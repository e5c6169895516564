// Events.

/** By their keys, in the order in which they were published. */
let events = new Map();
const KINDS = { Delivery: 'good', Open: 'good', Click: 'good', DeliveryDelay: 'warn', Reject: 'bad', 'Rendering Failure': 'bad', Bounce: 'bad', Complaint: 'bad' };
const STATES = { handling: ['being handled', ''], handled: ['handled', 'good'], queued: ['in the retry queue', 'warn'], lost: ['lost', 'bad'] };

/** Decodes the encoded words of a name (RFC 2047), which events repeat as they were sent. */
function decoded(text) {
  return text.replace(/(=\?[^?]+\?[bq]\?[^?]*\?=)\s+(?==\?)/gi, '$1').replace(/=\?([^?*]+)(?:\*[^?]*)?\?([bq])\?([^?]*)\?=/gi, (word, charset, encoding, content) => {
    try {
      const binary = encoding.toLowerCase() === 'b' ? atob(content)
        : content.replace(/_/g, ' ').replace(/=([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
      return new TextDecoder(charset).decode(Uint8Array.from(binary, (each) => each.charCodeAt(0)));
    } catch { return word; }
  });
}
function digest(entry) {
  const event = entry.event !== null && typeof entry.event === 'object' ? entry.event : {};
  const type = event.eventType ?? event.notificationType ?? null;
  const detail = event[String(type).toLowerCase()] ?? event.deliveryDelay ?? event.failure ?? {};
  const concerned = detail.bouncedRecipients ?? detail.complainedRecipients ?? detail.delayedRecipients ?? detail.recipients ?? event.mail?.destination ?? [];
  const list = Array.isArray(concerned) ? concerned : [];
  return {
    type, sesId: event.mail?.messageId ?? null, subject: event.mail?.commonHeaders?.subject ?? '',
    people: list.map((each) => (typeof each === 'string' ? each : String(each?.emailAddress ?? ''))).filter(Boolean).map(decoded),
    detail: [detail.bounceType, detail.bounceSubType, detail.complaintFeedbackType, detail.complaintSubType, detail.delayType].filter((each) => typeof each === 'string').join(' · '),
    diagnostic: String(list[0]?.diagnosticCode ?? detail.smtpResponse ?? ''),
  };
}
function happened(entry) {
  const old = events.get(entry.key);
  entry.digest = digest(entry);
  events.set(entry.key, entry);
  while (events.size > 500) { const [oldest] = events.keys(); events.get(oldest).node?.remove(); events.delete(oldest); }
  const { type, sesId } = entry.digest;
  if (sesId) refreshMails();
  if (sesId && sesId === opened && record) loadState();
  if (entry.state !== 'handling') {
    if (sesId && sesId === opened && record) loadFate(record.mail);
    if (view === 'suppressions' && (type === 'Bounce' || type === 'Complaint')) {
      clearTimeout(suppressionTimer);
      suppressionTimer = setTimeout(() => { if (suppressions.length <= 100) loadSuppressions(); }, 200);
    }
  }
  if (old?.node) { fill(entry, old.node); } else if (view === 'events') drawEvents();
  $('event-count').textContent = number(events.size);
}
function fill(entry, node) {
  const { type, people, detail, diagnostic, subject, sesId } = entry.digest;
  entry.node = node;
  const kind = KINDS[type] ?? '';
  const summary = node.querySelector('summary');
  summary.replaceChildren(time(entry.at), make('span', { class: 'type' }, chip(type ?? 'message', kind)),
    make('span', { class: 'what' }, people.length > 3 ? `${people.slice(0, 3).join(', ')} and ${people.length - 3} more` : people.join(', '),
      detail ? make('span', { class: 'quiet' }, ` · ${detail}`) : null, make('span', { class: 'cut small quiet' }, [subject, diagnostic].filter(Boolean).join(' · '))),
    chip(...(STATES[entry.state] ?? [String(entry.state), ''])));
  const inside = node.querySelector('.inside');
  const text = entry.event === null ? 'It is too long to be kept.' : typeof entry.event === 'string' ? entry.event : JSON.stringify(entry.event, null, 2);
  inside.replaceChildren(...[entry.trouble ? make('p', {}, entry.trouble) : null,
    sesId ? make('p', {}, make('a', { href: `#/outbox/${encodeURIComponent(sesId)}` }, 'To the mail')) : null,
    make('pre', { tabindex: 0, 'aria-label': 'The event' }, text)].filter(Boolean));
}
let drawingEvents = false;
function drawEvents() {
  if (drawingEvents) return;
  drawingEvents = true;
  requestAnimationFrame(() => {
    drawingEvents = false;
    const words = $('event-search').value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (entry) => entry.haystack ??= JSON.stringify([entry.digest, entry.topic]).toLowerCase();
    const listed = [...events.values()].reverse().filter((entry) => words.every((word) => `${text(entry)} ${entry.state}`.includes(word)));
    for (const entry of listed) if (!entry.node) fill(entry, make('li', {}, make('details', {}, make('summary'), make('div', { class: 'inside' }))));
    // Existing nodes stay, so that they stay open or focused.
    const list = $('events-list');
    const wanted = new Set(listed.map((entry) => entry.node));
    for (const node of [...list.children]) if (!wanted.has(node)) node.remove();
    let at = list.firstElementChild;
    for (const { node } of listed) { if (node === at) at = at.nextElementSibling; else list.insertBefore(node, at); }
    $('no-events').hidden = listed.length > 0;
    $('no-events').textContent = events.size ? 'No event matches.' : 'No events yet. They arrive within a second of a mail.';
  });
}
$('event-search').addEventListener('input', drawEvents);
