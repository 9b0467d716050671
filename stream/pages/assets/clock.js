// The server's time on this page: NTP's four time stamps (RFC 5905), filtered and slewed.
//
// t1 the page sends, t2 the server receives, t3 the server sends, t4 the page receives:
// offset = ((t2 - t1) + (t3 - t4)) / 2, delay = (t4 - t1) - (t3 - t2). Of the newest samples the one with the least
// delay is believed. What was stamped once is never stamped backwards: after the first samples the offset in use follows
// the measured one by at most 0.5 ms a second, as NTP does.

const SAMPLES = 8;
const STEPS = 4; // samples whose offset is taken over at once: nothing has been stamped yet
const SLEW = 0.0005; // ms of correction a ms

/** Milliseconds since the epoch on a clock that never jumps. */
export function pageNow() {
  return performance.timeOrigin + performance.now();
}

/** Milliseconds since the epoch of a `DOMHighResTimeStamp`. */
export function fromTimeStamp(timeStamp) {
  return performance.timeOrigin + timeStamp;
}

export class Clock {
  #samples = [];
  #count = 0;
  #used = 0;
  #since = 0;

  /** Take in one exchange; all four in ms since the epoch. */
  add(t1, t2, t3, t4) {
    this.#used = this.#slewed(t4);
    this.#since = t4;
    const sample = { offset: (t2 - t1 + (t3 - t4)) / 2, delay: t4 - t1 - (t3 - t2) };
    this.#samples = [...this.#samples, sample].slice(-SAMPLES);
    this.#count += 1;
    if (this.#count <= STEPS) this.#used = this.#best.offset;
  }

  get known() {
    return this.#count > 0;
  }

  /** Whether enough was measured to stamp what is captured. */
  get settled() {
    return this.#count >= STEPS;
  }

  /** How far the server's clock is ahead of this page's, ms, as measured. */
  get offset() {
    return this.known ? this.#best.offset : null;
  }

  /** Round trip of the sample that is believed, ms: twice the largest error that its offset may have. */
  get delay() {
    return this.known ? this.#best.delay : null;
  }

  /** A page's time in the server's time, ms since the epoch. */
  toServer(time) {
    return time + this.#slewed(time);
  }

  get #best() {
    return this.#samples.reduce((best, one) => (one.delay < best.delay ? one : best));
  }

  #slewed(time) {
    if (!this.known) return 0;
    const wanted = this.#best.offset - this.#used;
    const most = Math.max(0, time - this.#since) * SLEW;
    return this.#used + Math.max(-most, Math.min(most, wanted));
  }
}

/** Ask over HTTP, where there is no WebSocket to ask over: four times, then every half minute. */
export async function ask(clock) {
  for (let count = 0; ; count += 1) {
    try {
      const t1 = pageNow();
      const answer = await fetch('/clock', { cache: 'no-store' });
      const t4 = pageNow();
      const { receive_ms: t2, transmit_ms: t3 } = await answer.json();
      clock.add(t1, t2, t3, t4);
    } catch {
      // The server is away; the page says so elsewhere, and the clock in use goes on.
    }
    await new Promise((wake) => setTimeout(wake, count < 3 ? 100 : 30_000));
  }
}
