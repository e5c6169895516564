// Webhooks.

let webhooks = [];
/** The id of the webhook whose deliveries are shown. */
let chosenWebhook = null;
/** What is known of each of its deliveries, by the id of the event, newest first. */
let deliveries = new Map();
const DELIVERIES_SHOWN = 25;
let deliveriesShown = DELIVERIES_SHOWN;
let hasOlderDeliveries = false;
let isLoadingWebhooks = false;
let webhooksLoadedAt = 0;
const DELIVERY = { pending: ['waiting', ''], attempting: ['waiting for the next attempt', 'warn'], success: ['delivered', 'good'], failed: ['failed', 'bad'] };
const isSettled = (status) => status === 'success' || status === 'failed';

function chooseWebhook(id) {
  if (id !== chosenWebhook) {
    chosenWebhook = id;
    deliveries = new Map();
    deliveriesShown = DELIVERIES_SHOWN;
    $('delivery-list').replaceChildren();
  }
  drawWebhooks();
  loadWebhooks();
}
function webhookState(webhook) {
  if (webhook.status === 'disabled') return chip(webhook.okite_disabled_because ? `disabled: ${webhook.okite_disabled_because}` : 'disabled', 'bad');
  if (webhook.okite_parked_at) return chip(`parked after ${plural(webhook.okite_failures, 'failure')}`, 'warn');
  return chip('enabled', 'good');
}
async function loadWebhooks() {
  if (isLoadingWebhooks) return;
  isLoadingWebhooks = true;
  const chosen = chosenWebhook;
  try {
    const { data } = await call('GET', '/webhooks?limit=100');
    // The list does not say how an endpoint fares.
    webhooks = await Promise.all(data.map((webhook) => call('GET', `/webhooks/${encodeURIComponent(webhook.id)}`).catch(() => webhook)));
    chosenWebhook ??= webhooks[0]?.id ?? null;
    drawWebhooks();
    if (webhooks.some((webhook) => webhook.id === chosenWebhook)) await loadDeliveries(chosenWebhook);
  } catch (error) { if ($('gone').hidden) failed(error); } finally { isLoadingWebhooks = false; }
  webhooksLoadedAt = performance.now();
  // Somebody chose another webhook meanwhile.
  if (chosen !== null && chosen !== chosenWebhook) loadWebhooks();
}
function drawWebhooks() {
  const row = (webhook) => make('tr', {},
    make('td', {}, make('a', { href: `#/webhooks/${encodeURIComponent(webhook.id)}`, 'aria-current': String(webhook.id === chosenWebhook) }, webhook.endpoint)),
    make('td', {}, webhookState(webhook)),
    make('td', { class: 'small quiet' }, webhook.events.length > 3 ? `${webhook.events.slice(0, 3).join(', ')} and ${number(webhook.events.length - 3)} more` : webhook.events.join(', ')),
    make('td', {}, time(webhook.created_at)));
  const link = $('webhook-rows').contains(focused()) ? focused().getAttribute('href') : null;
  $('webhook-rows').replaceChildren(...webhooks.map(row));
  if (link) $('webhook-rows').querySelector(`a[href="${CSS.escape(link)}"]`)?.focus();
  $('webhook-rows').closest('table').hidden = webhooks.length === 0;
  $('no-webhooks').hidden = webhooks.length > 0;
  $('no-webhooks').replaceChildren('No webhooks yet. Create one for an application on this machine:', make('pre', {}, make('code', {},
    `curl ${location.origin}/webhooks -H 'Authorization: Bearer ${KEY}' -H 'Content-Type: application/json' -d '{"endpoint":"http://127.0.0.1:8000/hook","events":["email.delivered","email.bounced"]}'`)));
  $('deliveries').hidden = !webhooks.some((webhook) => webhook.id === chosenWebhook);
}
async function loadDeliveries(id) {
  const path = `/webhooks/${encodeURIComponent(id)}/events`;
  const { data, has_more: hasMore } = await call('GET', `${path}?limit=${deliveriesShown}`);
  const known = await Promise.all(data.map(async (event) => {
    const old = deliveries.get(event.id);
    // Only a replay changes a delivery that is settled.
    if (old && old.status === event.status && isSettled(event.status) && !old.isReplayed) return old;
    const [shown, attempts] = await Promise.all([call('GET', `${path}/${event.id}`), call('GET', `${path}/${event.id}/attempts?limit=100`)]);
    return { ...shown, attempts: attempts.data, node: old?.node, isReplayed: old?.isReplayed && old.attempts.length === attempts.data.length };
  }));
  if (id !== chosenWebhook) return;
  deliveries = new Map(known.map((delivery) => [delivery.id, delivery]));
  hasOlderDeliveries = hasMore;
  drawDeliveries();
}
/** Returns the person or the thing that an event is about. */
function concerned(delivery) {
  const data = delivery.payload?.data ?? {};
  if (Array.isArray(data.to)) return data.to.map(String).join(', ');
  if (typeof data.email === 'string') return data.email;
  return data.to === undefined ? '' : `${data.from ?? 'nothing'} → ${data.to}`;
}
function drawDeliveries() {
  const words = $('delivery-search').value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (delivery) => JSON.stringify([delivery.id, delivery.type, delivery.status, delivery.payload]).toLowerCase();
  const listed = [...deliveries.values()].filter((delivery) => words.every((word) => text(delivery).includes(word)));
  for (const delivery of listed) {
    delivery.node ??= make('li', {}, make('details', {}, make('summary'), make('div', { class: 'inside' })));
    fillDelivery(delivery);
  }
  // Existing nodes stay, so that they stay open or focused.
  const list = $('delivery-list');
  const wanted = new Set(listed.map((delivery) => delivery.node));
  for (const node of [...list.children]) if (!wanted.has(node)) node.remove();
  let at = list.firstElementChild;
  for (const { node } of listed) { if (node === at) at = at.nextElementSibling; else list.insertBefore(node, at); }
  $('no-deliveries').hidden = listed.length > 0;
  $('no-deliveries').textContent = deliveries.size ? 'No delivery matches.' : 'No event yet that this webhook subscribes to.';
  $('more-deliveries').hidden = !hasOlderDeliveries;
}
function fillDelivery(delivery) {
  const { node, attempts } = delivery;
  const drawn = JSON.stringify([delivery.status, attempts, delivery.next_attempt_at]);
  if (node.dataset.drawn === drawn) return;
  node.dataset.drawn = drawn;
  const hadFocus = node.querySelector('.inside').contains(document.activeElement);
  node.querySelector('summary').replaceChildren(time(delivery.created_at), make('span', { class: 'type' }, chip(delivery.type)),
    make('span', { class: 'what' }, concerned(delivery)), make('span', { class: 'small quiet' }, plural(attempts.length, 'attempt')),
    chip(...(DELIVERY[delivery.status] ?? [String(delivery.status), ''])));
  const row = (attempt) => make('tr', {}, make('td', {}, time(attempt.sent_at)),
    make('td', {}, attempt.http_status_code ? chip(String(attempt.http_status_code), attempt.http_status_code >= 200 && attempt.http_status_code < 300 ? 'good' : 'bad') : chip('no answer', 'bad')),
    make('td', {}, attempt.okite_error ? make('div', {}, attempt.okite_error) : null, attempt.response ? make('pre', {}, attempt.response) : null),
    make('td', {}, `${number(attempt.okite_duration_ms)} ms`));
  node.querySelector('.inside').replaceChildren(...[
    make('p', { class: 'line' }, make('code', {}, delivery.id), make('button', { 'aria-label': `Replay: ${delivery.type}, ${concerned(delivery)}`, onclick: () => replay(delivery) }, 'Replay')),
    delivery.next_attempt_at ? make('p', {}, 'The next attempt is due at ', time(delivery.next_attempt_at), '.') : null,
    make('h3', {}, 'Payload'), make('pre', { tabindex: 0, 'aria-label': 'The payload' }, JSON.stringify(delivery.payload, null, 2)),
    make('h3', {}, 'Attempts'),
    attempts.length ? make('table', {}, make('thead', {}, make('tr', {}, ...['Time', 'Answer', 'Text', 'Duration'].map((name) => make('th', { scope: 'col' }, name)))), make('tbody', {}, ...attempts.map(row)))
      : make('p', { class: 'quiet' }, 'None yet.'),
  ].filter(Boolean));
  if (hadFocus) node.querySelector('button').focus();
}
async function replay(delivery) {
  try {
    await call('POST', `/webhooks/${encodeURIComponent(chosenWebhook)}/events/${delivery.id}/replay`);
    delivery.isReplayed = true;
    toast('The event is delivered again.');
  } catch (error) { failed(error); }
  loadWebhooks();
}
$('delivery-search').addEventListener('input', drawDeliveries);
$('more-deliveries').addEventListener('click', () => { deliveriesShown = Math.min(deliveriesShown + DELIVERIES_SHOWN, 100); loadWebhooks(); });
// No event of the stream tells of a delivery, so the page asks where it is looked at.
setInterval(() => {
  if (view === 'webhooks' && !document.hidden && performance.now() - webhooksLoadedAt >= 2000) loadWebhooks();
}, 500);
