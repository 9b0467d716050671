// The list: live sessions with their last words, whoever spoke last first; below them those that have ended.

import { Clock, ask, pageNow } from './clock.js';
import { byId, element, say } from './dom.js';
import { loggedIn } from './login.js';

const EVERY = 1_000; // ms
const PATIENCE = 5_000; // ms for an answer; a server that takes longer hangs

const clock = new Clock();
const shown = new Map(); // session -> its line

class Line {
  #said = element('span', { class: 'said' });
  #ago = element('span', { class: 'ago' });

  constructor(session) {
    const name = element('span', { class: 'name' }, session);
    const link = element('a', { href: `/sessions/${encodeURIComponent(session)}` }, name, this.#said, this.#ago);
    this.element = element('li', {}, link);
  }

  show({ state, text, is_final: isFinal, published_ms: publishedMs }) {
    say(this.#said, text || '…');
    this.#said.classList.toggle('open', isFinal === false);
    this.element.classList.toggle('ended', state === 'ended');
    const when = publishedMs && clock.known ? ago(clock.toServer(pageNow()) - publishedMs) : '';
    say(this.#ago, state === 'ended' ? `ended, ${when}` : when);
  }
}

ask(clock);
for (;;) {
  const sessions = await asked();
  const badge = byId('connection');
  badge.dataset.state = sessions ? 'open' : 'waiting';
  say(badge, sessions ? 'live' : 'connection lost, trying again');
  if (sessions) show(sessions);
  await new Promise((wake) => setTimeout(wake, EVERY));
  if (document.hidden) await new Promise((wake) => document.addEventListener('visibilitychange', wake, { once: true }));
}

/** The server's list, or null where it does not answer, or not in time. */
async function asked() {
  try {
    const headers = { accept: 'application/json' };
    const answer = await fetch('/sessions', { headers, cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
    await loggedIn(answer);
    return answer.ok ? (await answer.json()).sessions : null;
  } catch {
    return null;
  }
}

function show(sessions) {
  forget(new Set(sessions.map(({ session }) => session)));
  const lines = sessions.map((one) => {
    const line = shown.get(one.session) ?? new Line(one.session);
    shown.set(one.session, line);
    line.show(one);
    return line.element;
  });
  arrange(byId('sessions'), lines);
  byId('empty').hidden = sessions.length > 0;
  const live = sessions.filter(({ state }) => state !== 'ended').length;
  say(byId('count'), live === 1 ? 'one live' : `${live} live`);
}

/** Drop the lines of sessions that are not listed any more. */
function forget(listed) {
  for (const session of shown.keys()) if (!listed.has(session)) shown.delete(session);
}

/** Put the lines in order without taking the focus away. */
function arrange(list, lines) {
  if (lines.length === list.children.length && lines.every((line, at) => line === list.children[at])) return;
  const focused = document.activeElement;
  list.replaceChildren(...lines);
  if (list.contains(focused)) focused.focus();
}

function ago(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min ago` : `${Math.floor(seconds / 3600)} h ago`;
}
