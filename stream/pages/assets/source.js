// This page as a source: one WebSocket to the session's frames, taken up again by itself.
//
// What Kafka has not acknowledged of sound and text is kept for some seconds and sent again over a new connection; the
// server drops what it had already. Pictures are not kept: by then they are late.

import { pageNow } from './clock.js';
import { clockRequest, frame, signal } from './frames.js';
import { Pressure } from './pressure.js';

const SUBPROTOCOL = 'cloudevents.json';
const KEPT = 10_000; // ms of sound and text
const STUCK = 4 << 20; // bytes that the browser could not send: the connection is given up
const FIRST_WAIT = 250;
const LONGEST_WAIT = 5_000;
const CLOCK_QUICK = 100;
const CLOCK_EVERY = 2_000;
const BOUND_EVERY = 200; // ms between two heartbeats that stand for pictures left out
const LAST_WORDS = 3_000; // for a lost connection to come back, then for Kafka to acknowledge the end

const MODALITIES = ['audio', 'video', 'text'];

export class Source {
  state = 'connecting';
  problem = '';
  sent = { audio: 0, video: 0, text: 0 };
  leftOut = 0; // pictures
  waiting = { frames: 0, bytes: 0 }; // at the server, for Kafka
  #url;
  #clock;
  #changed;
  #page = Math.random().toString(36).slice(2, 8); // so that ids are this page's own
  #socket = null;
  #kept = [];
  #next = { audio: 0, video: 0, text: 0 };
  #pictures = 0;
  #boundAt = 0;
  #signals = 0;
  #pressure = new Pressure();
  #wait = FIRST_WAIT;
  #timer;
  #ready;
  #ending = false; // nothing more is taken
  #closed = false;

  /** `changed` is called with this source whenever anything that is shown of it has changed. */
  constructor(session, clock, changed) {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    this.#url = `${scheme}://${location.host}/sessions/${encodeURIComponent(session)}/frames`;
    this.#clock = clock;
    this.#changed = changed;
    this.wanted = new Promise((ready) => (this.#ready = ready));
    this.#connect();
  }

  get backlog() {
    return (this.#socket?.bufferedAmount ?? 0) + this.waiting.bytes;
  }

  get level() {
    return this.#pressure.level;
  }

  /** Send one frame, captured at `time` on this page's clock; a picture may be left out. */
  send(modality, contentType, content, time) {
    if (this.#ending) return;
    if (modality === 'video' && !this.#takesPicture(time)) return;
    const sequence = this.#next[modality]++;
    const id = `${this.#page}-${modality}-${sequence}`;
    const message = frame(id, sequence, this.#clock.toServer(time), contentType, content);
    if (modality !== 'video') this.#keep({ modality, sequence, time, message });
    if (this.#post(message)) this.sent[modality] += 1;
  }

  /** Say that no more will come, wait until Kafka has it, and close; what is kept for a lost connection goes out before. */
  async end() {
    const stopped = pageNow();
    this.#ending = true;
    await this.#reopened(stopped + LAST_WORDS);
    this.#sayEnd(stopped);
    this.#closed = true;
    const until = pageNow() + LAST_WORDS;
    do {
      await new Promise((wake) => setTimeout(wake, 250));
    } while (this.backlog > 0 && pageNow() < until);
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
    this.#become('ended');
  }

  /** The page is going away: one last word, if it still gets through. */
  leave() {
    this.#sayEnd(pageNow());
  }

  #sayEnd(stopped) {
    const time = this.#clock.toServer(stopped);
    for (const modality of MODALITIES) this.#post(signal('end', `${this.#page}-${modality}-end`, modality, time));
  }

  /** Wait for a lost connection, if anything was sent that has to be ended. */
  async #reopened(until) {
    if (this.state === 'open' || MODALITIES.every((modality) => this.#next[modality] === 0)) return;
    this.#wait = FIRST_WAIT; // there is no time left to be patient
    if (this.#socket.readyState === WebSocket.CLOSED) {
      clearTimeout(this.#timer);
      this.#connect();
    }
    while (this.state !== 'open' && pageNow() < until) await new Promise((wake) => setTimeout(wake, 50));
  }

  #takesPicture(time) {
    const takes = this.state === 'open' && this.#pressure.takes(this.#pictures++);
    if (takes) return true;
    this.leftOut += 1;
    if (time - this.#boundAt > BOUND_EVERY) {
      this.#boundAt = time;
      const id = `${this.#page}-video-bound-${this.#signals++}`;
      this.#post(signal('bound', id, 'video', this.#clock.toServer(time)));
    }
    return false;
  }

  #keep(item) {
    this.#kept.push(item);
    while (this.#kept[0].time < item.time - KEPT) this.#kept.shift();
  }

  #post(message) {
    if (this.state !== 'open' || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(message);
    if (this.#socket.bufferedAmount > STUCK) this.#socket.close(4000, 'stuck');
    const before = this.level;
    if (this.#pressure.look(this.backlog, pageNow()) !== before) this.#changed(this);
    return true;
  }

  #connect() {
    const socket = new WebSocket(this.#url, SUBPROTOCOL);
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#hear(JSON.parse(data), pageNow()));
    socket.addEventListener('close', ({ reason }) => this.#lost(reason));
  }

  #hear({ type, data }, now) {
    if (type === 'trivium.clock.v1') this.#clock.add(data.origin_ms, data.receive_ms, data.transmit_ms, now);
    else if (type === 'trivium.wanted.v1') this.#opened(data);
    else if (type === 'trivium.pressure.v1') this.#acknowledged(data);
    else if (type === 'trivium.error.v1') this.problem = `${data.reason}: ${data.message}`;
    this.#changed(this);
  }

  /** The server's first word: it is there, Kafka too. */
  #opened(wanted) {
    this.#wait = FIRST_WAIT;
    this.problem = '';
    this.#become('open');
    for (const { message } of this.#kept) this.#post(message);
    this.#askTime(0);
    this.#ready(wanted);
  }

  #acknowledged({ frames, bytes, acknowledged }) {
    this.waiting = { frames, bytes };
    this.#kept = this.#kept.filter(({ modality, sequence }) => sequence > (acknowledged[modality] ?? -1));
    this.#pressure.look(this.backlog, pageNow());
  }

  #askTime(count) {
    clearTimeout(this.#timer);
    this.#post(clockRequest(`${this.#page}-clock-${this.#signals++}`, pageNow()));
    this.#timer = setTimeout(() => this.#askTime(count + 1), count < 4 ? CLOCK_QUICK : CLOCK_EVERY);
  }

  #lost(reason) {
    clearTimeout(this.#timer);
    this.waiting = { frames: 0, bytes: 0 };
    if (this.#closed) return;
    if (reason) this.problem = reason;
    this.#become('waiting');
    this.#timer = setTimeout(() => this.#connect(), this.#wait * (0.75 + Math.random() / 2));
    this.#wait = Math.min(LONGEST_WAIT, this.#wait * 2);
  }

  #become(state) {
    this.state = state;
    this.#changed(this);
  }
}
