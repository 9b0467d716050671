// When sound was captured, on the page's clock. The audio context's own time runs with the sound device; a block reaches
// this page when its last sample has been captured, or some moments later. So of all blocks of the last seconds the one
// that came soonest tells how the two clocks lie, and the busy moments of a page do not show in the stamps.

const WINDOW = 10_000; // ms
const RECENT = 1_000;
const STEP = 100; // ms off for a whole second: the context stood still, as when a laptop sleeps
const SLEW = 0.001; // ms of correction a ms

export class Stamps {
  #seen = [];
  #used = null;
  #since = 0;
  #latency;

  /** `latency` of the input in ms, where the device tells it. */
  constructor(latency = 0) {
    this.#latency = latency;
  }

  /** The page's time of the context's time `end`, both in ms, for a block that ended then and arrived at `arrived`. */
  at(end, arrived) {
    this.#seen = this.#seen.filter((one) => one.arrived > arrived - WINDOW);
    this.#seen.push({ arrived, apart: arrived - end });
    const recent = least(this.#seen.filter((one) => one.arrived > arrived - RECENT));
    if (this.#used === null || Math.abs(recent - this.#used) > STEP) this.#restart(recent);
    const most = Math.max(0, arrived - this.#since) * SLEW;
    this.#since = arrived;
    this.#used += Math.max(-most, Math.min(most, least(this.#seen) - this.#used));
    return end + this.#used - this.#latency;
  }

  #restart(apart) {
    this.#used = apart;
    this.#seen = this.#seen.slice(-1);
  }
}

function least(seen) {
  return Math.min(...seen.map((one) => one.apart));
}
