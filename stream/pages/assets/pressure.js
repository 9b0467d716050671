// What is given up while more waits than is taken: half the pictures, then all of them; sound and text never.
// Pure: bytes and time are passed in.

const HALF = 256 * 1024;
const NONE = 768 * 1024;
const CALM = 2_000; // ms below half of a bound before one step is taken back

const LEVELS = ['all', 'half', 'none'];

export class Pressure {
  #level = 0;
  #calmSince = null;

  get level() {
    return LEVELS[this.#level];
  }

  /** Look at the bytes that wait, here and at the server, at a time in ms. */
  look(bytes, now) {
    const wanted = bytes > NONE ? 2 : bytes > HALF ? 1 : 0;
    if (wanted >= this.#level) {
      this.#level = wanted;
      this.#calmSince = null;
    } else if (bytes > [0, HALF, NONE][this.#level] / 2) {
      this.#calmSince = null;
    } else if (now - (this.#calmSince ??= now) >= CALM) {
      this.#level -= 1;
      this.#calmSince = null;
    }
    return this.level;
  }

  /** Whether the picture of this number is sent. */
  takes(number) {
    return this.#level === 0 || (this.#level === 1 && number % 2 === 0);
  }
}
