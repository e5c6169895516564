// Keys.

document.addEventListener('keydown', (event) => {
  const target = /** @type {any} */ (event.target);
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector('dialog[open]')) return;
  const isTyping = target.matches('input, textarea, select');
  if (event.key === 'Escape') {
    if (isTyping && target.type === 'search') {
      target.value = '';
      target.dispatchEvent(new Event('input'));
      target.blur();
    } else if (!isTyping && view === 'outbox') { if (opened === null && chosen.size > 0) { unchoose(); reach(reached); } else close(); }
    return;
  }
  if (isTyping) return;
  const search = { outbox: 'mail-search', queue: 'queue-search', suppressions: 'suppression-search', events: 'event-search', webhooks: 'delivery-search' }[view];
  const act = {
    '/': () => search && $(search).focus(), '?': () => $('help').showModal(), j: () => move(1), k: () => move(-1),
    x: () => view === 'outbox' && choose(reached, false), u: () => view === 'outbox' && toggleRead(), Delete: () => view === 'outbox' && deleteSome(),
    ...Object.fromEntries(VIEWS.map((name, index) => [index + 1, () => { location.hash = `#/${name}`; }])),
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});
$('help-button').addEventListener('click', () => $('help').showModal());

route();
connect();
