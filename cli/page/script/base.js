// The key that every `okite up` accepts, and no deployed stack does.
const KEY = 'ok_local_this_key_works_with_okite_up_only';

/**
 * Finds an element of the page. Its type is left open, because each is known from index.html.
 * @type {(id: string) => any}
 */
const $ = (id) => document.getElementById(id);
/** Makes an element. Strings become text, never HTML. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'class') element.className = value;
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}
/** @type {() => any} */
const focused = () => document.activeElement;
const chip = (text, kind = '') => make('span', { class: `chip ${kind}` }, text);
/** Returns a text in parts. Code is between backticks there, so it is every second part. */
const withCode = (text) => text.split('`').map((words, index) => (index % 2 ? make('code', {}, words) : words));
const number = (value) => new Intl.NumberFormat('en').format(value);
const percent = (value) => `${new Intl.NumberFormat('en', { maximumFractionDigits: 2 }).format(value * 100)} %`;
const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

function time(text, isWhole = false) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return make('span', {}, String(text));
  const isToday = !isWhole && at.toDateString() === new Date().toDateString();
  const clock = at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: isToday || isWhole ? '2-digit' : undefined });
  const day = at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
  return make('time', { datetime: at.toISOString(), title: at.toISOString() }, isToday ? clock : `${day}, ${clock}`);
}

function duration(seconds) {
  if (seconds < 90) return plural(Math.round(seconds), 'second');
  if (seconds < 5400) return plural(Math.round(seconds / 60), 'minute');
  if (seconds < 172800) return plural(Math.round(seconds / 3600), 'hour');
  return plural(Math.round(seconds / 86400), 'day');
}

async function call(method, path, body) {
  /** @type {Record<string, string>} */
  const headers = path.startsWith('/_local/') ? {} : { authorization: `Bearer ${KEY}` };
  if (body !== undefined) headers['content-type'] = 'application/json';
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  const value = text === '' ? null : JSON.parse(text);
  if (!answer.ok) throw new Error(value?.message ?? `${method} ${path}: ${answer.status}`);
  return value;
}

let toastTimer;
function toast(text) {
  clearTimeout(toastTimer);
  $('toast').textContent = text;
  toastTimer = setTimeout(() => { $('toast').textContent = ''; }, 6000);
}
const failed = (error) => toast(`The request failed: ${error.message}`);

/** The arrow keys within a list of tabs. */
function arrows(list) {
  list.addEventListener('keydown', (event) => {
    const tabs = [...list.querySelectorAll('[role=tab]')];
    const at = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const tab = tabs[(to + tabs.length) % tabs.length];
    tab.focus();
    tab.click();
  });
}
function select(tabs, chosen) {
  for (const tab of tabs) {
    tab.setAttribute('aria-selected', String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
  }
}
