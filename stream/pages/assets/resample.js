// Sound from the device's rate to the model's, block by block: band-limited interpolation with a windowed sinc
// (J. O. Smith, "Digital Audio Resampling"). Used where the browser does not resample by itself.

const ZEROS = 16; // zero crossings on either side
const PHASES = 512; // of the kernel's table, between two of them

export class Resampler {
  #ratio; // input samples an output sample
  #half; // reach of the kernel in input samples
  #table;
  #held;
  #position; // of the next output sample in `held`

  constructor(fromHz, toHz) {
    this.#ratio = fromHz / toHz;
    const cutoff = Math.min(1, toHz / fromHz) * 0.95;
    this.#half = Math.ceil(ZEROS / cutoff);
    this.#table = kernel(cutoff, this.#half);
    this.#held = new Float32Array(this.#half); // silence before the first sample
    this.#position = this.#half;
  }

  /** What can be told of the output with this block; the rest comes with the next. */
  push(block) {
    const held = new Float32Array(this.#held.length + block.length);
    held.set(this.#held);
    held.set(block, this.#held.length);
    const made = [];
    let position = this.#position;
    for (; position + this.#half < held.length; position += this.#ratio) made.push(this.#at(held, position));
    const drop = Math.max(0, Math.floor(position) - this.#half);
    this.#held = held.subarray(drop);
    this.#position = position - drop;
    return Float32Array.from(made);
  }

  #at(held, position) {
    const first = Math.max(0, Math.ceil(position - this.#half));
    const last = Math.floor(position + this.#half);
    let sum = 0;
    for (let at = first; at <= last; at += 1) {
      sum += held[at] * this.#table[Math.round(Math.abs(position - at) * PHASES)];
    }
    return sum;
  }
}

function kernel(cutoff, half) {
  const table = new Float32Array(half * PHASES + 1);
  for (let at = 0; at < table.length; at += 1) {
    const x = at / PHASES;
    const angle = Math.PI * x * cutoff;
    const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
    table[at] = cutoff * sinc * Math.cos((Math.PI * x) / (2 * half)) ** 2; // Hann
  }
  return table;
}
