// One session before one's eyes: its events to captions, health and latency. Both pages that show a session use it.

import { Captions } from './captions.js';
import { byId, say } from './dom.js';
import { follow } from './follow.js';
import { Health } from './health.js';
import { Latency } from './latency.js';
import { Reading } from './reading.js';
import { pageNow } from './clock.js';

const PREDICTION = 'trivium.prediction.v1';
const SESSION = 'trivium.session.v1';
const GAP = 'trivium.gap.v1';
const QUIET = 2_000; // ms without an event, after which history is over
const STATES = { connecting: 'connecting', open: 'live', waiting: 'connection lost, trying again' };

export class View {
  #clock;
  #reading = new Reading();
  #captions = new Captions(byId('finals'), byId('interims'));
  #health = new Health(byId('modalities'), byId('skew'));
  #openedAt = Infinity; // this page's time; what was published before is history
  #log = byId('log');
  #quiet; // the timer of history's end
  #latency = new Latency(byId('latency-now'), byId('latency-typical'), byId('latency-picture'));

  /** `clock` turns this page's time into the server's, once it is known. */
  constructor(clock) {
    this.#clock = clock;
    byId('confidence').addEventListener('change', ({ target }) => {
      document.body.classList.toggle('with-confidence', target.checked);
    });
  }

  /** Follow a session `from` its 'beginning', or from its 'latest' word on, until `signal` aborts. */
  follow(session, from, signal) {
    const url = `/sessions/${encodeURIComponent(session)}/events?from=${from}`;
    const state = (now) => {
      if (now === 'open') {
        this.#openedAt = pageNow();
        this.#announce(false);
      }
      showState(now);
    };
    return follow(url, { heard: (event) => this.#hear(event, session), state, signal });
  }

  #hear(event, session) {
    const { type, data } = JSON.parse(event.data);
    this.#announce(type === PREDICTION && !this.#isHistory(data));
    if (type === PREDICTION && data.session === session) this.#show(data);
    else if (type === SESSION && data.session === session) this.#tell(data);
    else if (type === GAP) say(byId('news'), 'Some captions are older than what is kept, and are not shown.');
  }

  #show(prediction) {
    if (!this.#reading.isNews(prediction)) return;
    this.#captions.show(prediction);
    byId('empty').hidden = true;
    if (prediction.is_final) this.#health.show(prediction);
    if (!document.hidden) requestAnimationFrame(() => requestAnimationFrame(() => this.#measure(prediction)));
  }

  /** Whether it was said before this page looked, as far as is known. */
  #isHistory(prediction) {
    return !this.#clock.known || prediction.times.published_ms < this.#clock.toServer(this.#openedAt);
  }

  /** Have captions read aloud once history is over, else as soon as nothing has come for a while: nobody listens to it all. */
  #announce(isOver) {
    clearTimeout(this.#quiet);
    if (isOver) this.#log.setAttribute('aria-live', 'polite');
    else if (this.#log.getAttribute('aria-live') === 'off') this.#quiet = setTimeout(() => this.#announce(true), QUIET);
  }

  /** The frame before has drawn it, so it is on the screen now; history tells nothing of latency. */
  #measure(prediction) {
    if (this.#isHistory(prediction)) return;
    this.#latency.add(this.#clock.toServer(pageNow()) - prediction.times.captured_ms);
  }

  #tell(record) {
    if (this.#reading.begins(record)) this.#captions.startAt(record.start_ms);
    if (record.state === 'ended') this.#captions.close();
    const reasons = { end: '', timeout: ' after a silence', clock: ' since the source’s clock jumped' };
    const ended = `The session has ended${reasons[record.reason] ?? ''}.`;
    say(byId('news'), record.state === 'ended' ? ended : 'The session has begun.');
  }
}

function showState(state) {
  const badge = byId('connection');
  badge.dataset.state = state;
  say(badge, STATES[state]);
}
