// Account.

let report = null;
async function loadAccount() {
  try { fillForm(await call('GET', '/_local/account')); } catch (error) { failed(error); }
  try { report = await call('GET', '/quota'); report.received = performance.now(); } catch (error) { report = null; $('report-age').textContent = error.message; }
  drawAccount();
}
// AWS’s figures as percentages; empty where it has none.
const RATES = ['bounce_rate', 'complaint_rate'];
function fillForm(account) {
  const form = $('simulate');
  if (form.contains(document.activeElement)) return;
  for (const [name, value] of Object.entries(account)) {
    const field = form.elements[name];
    if (!field) continue;
    if (field.type === 'checkbox') field.checked = value;
    else if (RATES.includes(name)) field.value = value === null ? '' : +(value * 100).toPrecision(6);
    else field.value = value;
  }
}
function gauge(name, figure, scale, notes, level) {
  const describe = [name, figure, ...notes].join('. ');
  return make('div', { class: 'card gauge' },
    make('div', { class: 'line' }, make('h3', {}, name), level ?? null),
    make('div', { class: 'figure' }, figure), scale ? scaleOf(scale, describe) : null,
    ...notes.filter(Boolean).map((note) => make('div', { class: 'small quiet' }, note)));
}
function scaleOf({ share, kind, marks = [] }, describe) {
  const bar = make('i', { class: kind });
  bar.style.width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
  const scale = make('div', { class: marks.length ? 'scale marked' : 'scale', role: 'img', 'aria-label': describe }, bar);
  for (const { at, name, isAws } of marks) {
    const mark = make('b', { class: `${isAws ? 'aws' : ''} ${at > 0.92 ? 'end' : ''}`, title: name }, make('span', {}, name));
    mark.style.left = `${Math.min(at, 1) * 100}%`;
    scale.append(mark);
  }
  return scale;
}
const LEVELS = { healthy: 'good', warn: 'warn', brake_bulk: 'bad', brake_all: 'bad' };
const level = (name) => chip(String(name).replace('_', ' '), LEVELS[name] ?? '');
function rateGauge(name, noun, rate, headroom, [review, pause]) {
  const reviewAt = isNumber(rate?.review_at) ? rate.review_at : review;
  const pauseAt = isNumber(rate?.pause_at) ? rate.pause_at : pause;
  const estimate = rate?.estimate ?? null;
  const judged = isNumber(rate?.aws) ? rate.aws : isNumber(estimate?.rate) ? estimate.rate : null;
  const end = pauseAt * 1.1;
  const marks = [{ at: reviewAt / end, name: `review ${percent(reviewAt)}`, isAws: true }, { at: pauseAt / end, name: `pause ${percent(pauseAt)}`, isAws: true }];
  if (isNumber(rate?.warn_at)) marks.push({ at: rate.warn_at / end, name: '', isAws: false });
  if (isNumber(rate?.brake_at)) marks.push({ at: rate.brake_at / end, name: '', isAws: false });
  const notes = [];
  if (isNumber(rate?.aws)) notes.push(`AWS’s own figure${isNumber(estimate?.rate) ? `; our estimate is ${percent(estimate.rate)}` : ''}`);
  else if (isNumber(estimate?.rate)) notes.push('Our estimate: AWS has no figure');
  if (estimate) notes.push(`${plural(estimate.count, noun)} among ${plural(estimate.sent, 'recipient')} in ${plural(estimate.days, 'day')}`);
  if (isNumber(rate?.warn_at) && isNumber(rate?.brake_at)) notes.push(`Okite warns at ${percent(rate.warn_at)} and holds bulk mail back at ${percent(rate.brake_at)}`);
  if (isNumber(headroom?.review)) notes.push(`${plural(headroom.review, `more ${noun}`, `more ${noun}s`)} until AWS reviews the account`);
  notes.push(`AWS reviews an account at ${percent(reviewAt)} and may pause it at ${percent(pauseAt)}`);
  const kind = judged === null ? '' : judged >= reviewAt ? 'bad' : (isNumber(rate?.warn_at) ? judged >= rate.warn_at : judged >= reviewAt / 2) ? 'warn' : 'good';
  return gauge(name, judged === null ? 'no figures yet' : percent(judged), { share: judged === null ? 0 : judged / end, kind, marks }, notes, rate?.level ? level(rate.level) : null);
}
function pace() {
  const now = performance.now();
  while (arrivals.length && arrivals[0][0] < now - 10_000) arrivals.shift();
  return arrivals.reduce((sum, [, count]) => sum + count, 0) / 10;
}
function drawAccount() {
  if (!report) { for (const id of ['facts', 'gauges', 'reasons']) $(id).replaceChildren(); return; }
  const account = report.account;
  const age = report.age_seconds + (performance.now() - report.received) / 1000;
  $('report-age').textContent = `${report.region}, reported ${duration(age)} ago`;
  const brake = typeof report.brake === 'object' && report.brake ? report.brake.level : report.brake;
  $('facts').replaceChildren(...[make('span', {}, 'Verdict ', level(report.verdict)),
    brake !== undefined && brake !== null ? make('span', {}, 'Brake ', chip(String(brake), brake === 'none' ? 'good' : 'bad')) : null,
    chip(account.production_access ? 'production access' : 'sandbox', account.production_access ? 'good' : 'warn'),
    chip(account.sending_enabled ? 'sending enabled' : 'sending switched off', account.sending_enabled ? 'good' : 'bad'),
    chip(`standing ${account.enforcement_status}`, { HEALTHY: 'good', PROBATION: 'warn' }[account.enforcement_status] ?? 'bad')].filter(Boolean));
  const quota = report.quota ?? {};
  const limit = account.max_24_hour_send;
  const used = isNumber(quota.used) ? quota.used : account.sent_last_24_hours;
  const isLimited = limit >= 0;
  const share = isLimited ? (limit > 0 ? used / limit : 1) : 0;
  const left = isLimited ? Math.max(limit - used, 0) : null;
  const shareKind = share >= 0.95 ? 'bad' : share >= 0.8 ? 'warn' : 'good';
  const now = pace();
  $('gauges').replaceChildren(
    gauge('Quota of 24 hours', isLimited ? `${number(used)} of ${number(limit)}` : `${number(used)}, no limit`, { share, kind: shareKind },
      [left === null ? 'Recipients' : `${plural(left, 'recipient')} left`,
        isNumber(quota.by_us) && isNumber(quota.by_others) ? `${number(quota.by_us)} sent by Okite, ${number(quota.by_others)} by others` : null,
        isNumber(quota.per_hour) ? `${number(Math.round(quota.per_hour))} an hour` : null,
        isNumber(quota.exhausted_in_seconds) ? `Used up in ${duration(quota.exhausted_in_seconds)} at this pace` : null,
        quota.fell ? `It fell from ${number(quota.fell.from)} to ${number(quota.fell.to)}` : null]),
    gauge('Rate', `${number(account.max_send_rate)} a second`, { share: account.max_send_rate > 0 ? now / account.max_send_rate : 0, kind: now > account.max_send_rate * .95 ? 'warn' : 'good' },
      [`${plural(now, 'recipient')} a second in the last 10 seconds`, report.rate?.fell ? `It fell from ${number(report.rate.fell.from)} to ${number(report.rate.fell.to)}` : null]),
    rateGauge('Bounces', 'hard bounce', report.rates?.bounce, report.headroom?.bounces, [0.05, 0.1]),
    rateGauge('Complaints', 'complaint', report.rates?.complaint, report.headroom?.complaints, [0.001, 0.005]));
  const list = (title, entries) => (Array.isArray(entries) && entries.length ? [make('div', { class: 'card' }, make('h3', {}, title),
    make('ul', { class: 'plain-list' }, entries.map((each) => make('li', {}, each.level ? level(each.level) : null, each.level ? ' ' : '', ...withCode(String(each.message ?? each.code ?? ''))))))] : []);
  $('reasons').replaceChildren(...list('Why', report.reasons), ...list('Advice', report.advice));
  $('reasons').classList.toggle('gauges', $('reasons').childElementCount > 0);
}
async function runReport() {
  try { await call('POST', '/_local/schedule'); } catch (error) { failed(error); }
  await loadAccount();
}
$('report').addEventListener('click', runReport);
$('simulate').addEventListener('submit', async (event) => {
  event.preventDefault();
  const fields = event.target.elements;
  try {
    await call('PUT', '/_local/account', { max_24_hour_send: Number(fields.max_24_hour_send.value), max_send_rate: Number(fields.max_send_rate.value),
      enforcement_status: fields.enforcement_status.value, production_access: fields.production_access.checked, sending_enabled: fields.sending_enabled.checked,
      ...Object.fromEntries(RATES.map((name) => [name, fields[name].value === '' ? null : Number(fields[name].value) / 100])) });
    toast('The account is changed.');
  } catch (error) { failed(error); }
  await runReport();
});
setInterval(() => { if (view === 'account' && !document.hidden) drawAccount(); }, 1000);
setInterval(() => { if (view === 'account' && !document.hidden) loadAccount(); }, 15_000);
