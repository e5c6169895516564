// The event stream.

let source = null;
let lastId = null;
let retry;
function connect() {
  clearTimeout(retry);
  source?.close();
  source = new EventSource(`/_local/events${lastId ? `?after=${encodeURIComponent(lastId)}` : ''}`);
  const on = (name, act) => source.addEventListener(name, (event) => { lastId = event.lastEventId || lastId; act(JSON.parse(event.data)); });
  on('reset', () => { events = new Map(); $('events-list').replaceChildren(); $('event-count').textContent = ''; loadMails(); isQueueKnown = false; loadQueue(); if (view !== 'outbox') route(); });
  on('ready', () => {});
  on('mail', came);
  on('changed', refreshMails);
  on('cleared', cleared);
  on('event', happened);
  source.onopen = () => linked('live', 'live');
  source.onerror = () => {
    linked('gone', 'not connected');
    // A browser reconnects by itself unless the server refused it.
    if (source.readyState === EventSource.CLOSED) retry = setTimeout(connect, 2000);
  };
}
function linked(state, text) {
  $('link').className = state;
  $('link').textContent = text;
  $('gone').hidden = state !== 'gone';
}
// A browser has six connections for all pages of one server, so a hidden page holds none of them.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) { clearTimeout(retry); source?.close(); } else connect();
});
