// Server-Sent Events over fetch, so that `Last-Event-ID` survives whatever ended the connection: the browser's own
// EventSource gives up for good on any answer but 200, as when the service restarts.

import { loggedIn } from './login.js';

const FIRST_WAIT = 250; // until the server says how long
const LONGEST_WAIT = 5_000;
const SILENCE = 45_000; // the server comments more often than that

/**
 * Follow `url` until `signal` aborts; `heard` gets each event `{type, data}`, `state` 'connecting', 'open' or 'waiting'.
 * Never returns before.
 */
export async function follow(url, { heard, state, signal }) {
  let last = null;
  let least = FIRST_WAIT;
  let wait = least;
  while (!signal.aborted) {
    state('connecting');
    const ending = new AbortController();
    const stop = () => ending.abort();
    signal.addEventListener('abort', stop);
    const watch = new Watch(SILENCE, stop);
    try {
      const headers = { accept: 'text/event-stream', ...(last === null ? {} : { 'last-event-id': last }) };
      const answer = await fetch(url, { headers, cache: 'no-store', signal: ending.signal });
      await loggedIn(answer);
      if (answer.status === 400) last = null; // an id that is not understood any more never will be: begin anew
      if (!answer.ok || !answer.body) throw new Error(`${url} answered ${answer.status}`);
      state('open');
      for await (const event of events(answer.body, watch)) {
        least = event.retry ?? least;
        wait = least;
        if (event.id !== null) last = event.id;
        if (event.data !== '') heard(event);
      }
    } catch {
      // Away, restarting or silent: tried again below, from the last event on.
    } finally {
      watch.end();
      signal.removeEventListener('abort', stop);
      ending.abort();
    }
    if (signal.aborted) return;
    state('waiting');
    await new Promise((wake) => setTimeout(wake, wait * (1 + Math.random() / 2)));
    wait = Math.max(least, Math.min(LONGEST_WAIT, wait * 2));
  }
}

class Watch {
  #timer;
  #time;
  #stop;

  constructor(time, stop) {
    this.#time = time;
    this.#stop = stop;
    this.seen();
  }

  seen() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#stop, this.#time);
  }

  end() {
    clearTimeout(this.#timer);
  }
}

/** Parse a stream as the HTML standard has it; an event without a new `id` or `retry` has null. */
export async function* events(body, watch) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let event = blank();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    watch?.seen();
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line !== '') {
        take(line, event);
      } else {
        yield { ...event, data: event.data.join('\n') };
        event = blank();
      }
    }
  }
}

function blank() {
  return { type: 'message', id: null, retry: null, data: [] };
}

function take(line, event) {
  const colon = line.indexOf(':');
  if (colon === 0) return;
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
  if (name === 'data') event.data.push(value);
  else if (name === 'event') event.type = value;
  else if (name === 'id' && !value.includes('\0')) event.id = value;
  else if (name === 'retry' && /^[0-9]+$/.test(value)) event.retry = Number(value);
}
