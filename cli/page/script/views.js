// Views, by the address after the #.

const VIEWS = ['outbox', 'queue', 'suppressions', 'events', 'webhooks', 'account'];
let view = 'outbox';
function route() {
  const [name, id] = location.hash.replace(/^#\/?/, '').split('/');
  view = VIEWS.includes(name) ? name : 'outbox';
  for (const each of VIEWS) $(each).hidden = each !== view;
  select(VIEWS.map((each) => $(`tab-${each}`)), $(`tab-${view}`));
  if (view === 'outbox') open(id ? decodeURIComponent(id) : null);
  if (view === 'queue') { drawQueue(); loadQueue(); }
  if (view === 'suppressions') loadSuppressions();
  if (view === 'events') { drawEvents(); }
  if (view === 'webhooks') chooseWebhook(id ? decodeURIComponent(id) : null);
  if (view === 'account') loadAccount();
}
for (const name of VIEWS) $(`tab-${name}`).addEventListener('click', () => { location.hash = `#/${name}`; });
arrows($('tabs'));
addEventListener('hashchange', route);
