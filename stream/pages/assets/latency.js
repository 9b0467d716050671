// From the capture of the newest tick used to the moment its caption is on the screen: now, and lately.

import { say } from './dom.js';

const KEPT = 90;
const WIDTH = 300;
const HEIGHT = 64;
const LEAST_TOP = 1_000; // ms: the line of a second is always in the picture

export class Latency {
  #values = [];
  #now;
  #typical;
  #line;
  #limit;
  #picture;

  /** Elements: `now` and `typical` take text; `picture` is an SVG with a polyline and a line of one second. */
  constructor(now, typical, picture) {
    this.#now = now;
    this.#typical = typical;
    this.#picture = picture;
    this.#line = picture.querySelector('polyline');
    this.#limit = picture.querySelector('line');
  }

  add(valueMs) {
    this.#values = [...this.#values, Math.max(0, valueMs)].slice(-KEPT);
    say(this.#now, `${Math.round(valueMs)}`);
    const sorted = [...this.#values].sort((a, b) => a - b);
    const median = sorted[Math.floor((sorted.length - 1) / 2)];
    const most = sorted[Math.ceil(sorted.length * 0.95) - 1];
    say(this.#typical, `median ${Math.round(median)} ms, 95 % within ${Math.round(most)} ms`);
    this.#draw(Math.max(LEAST_TOP * 1.25, sorted.at(-1)));
    this.#picture.setAttribute('aria-label', `Latency of the last ${sorted.length} captions: ${this.#typical.textContent}`);
  }

  #draw(top) {
    const height = (value) => (HEIGHT - 2 - (value / top) * (HEIGHT - 6)).toFixed(1);
    const step = WIDTH / (KEPT - 1);
    const from = KEPT - this.#values.length;
    this.#line.setAttribute('points', this.#values.map((value, i) => `${((from + i) * step).toFixed(1)},${height(value)}`).join(' '));
    for (const end of ['y1', 'y2']) this.#limit.setAttribute(end, height(1_000));
  }
}
