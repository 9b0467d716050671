// Runs in the audio thread: blocks of 128 samples to frames of 16-bit samples in network byte order.

import { Resampler } from './resample.js';

class Pcm extends AudioWorkletProcessor {
  #rate;
  #samples;
  #resampler;
  #view;
  #filled = 0;
  #peak = 0;
  #end = null; // context time of the last sample written, in seconds

  constructor({ processorOptions: { rate, samples } }) {
    super();
    this.#rate = rate;
    this.#samples = samples;
    this.#resampler = rate === sampleRate ? null : new Resampler(sampleRate, rate);
    this.#view = new DataView(new ArrayBuffer(samples * 2));
  }

  process([channels]) {
    if (channels.length === 0) {
      this.#end = null; // nothing is connected: a gap, no silence made up
      this.#filled = 0;
      return true;
    }
    this.#end ??= currentTime;
    const mono = mixed(channels);
    for (const sample of this.#resampler ? this.#resampler.push(mono) : mono) this.#write(sample);
    return true;
  }

  #write(sample) {
    const whole = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
    this.#view.setInt16(this.#filled * 2, whole);
    this.#peak = Math.max(this.#peak, Math.abs(whole));
    this.#end += 1 / this.#rate;
    this.#filled += 1;
    if (this.#filled === this.#samples) this.#post();
  }

  #post() {
    const { buffer } = this.#view;
    this.port.postMessage({ end: this.#end * 1000, buffer, peak: this.#peak / 32768 }, [buffer]);
    this.#view = new DataView(new ArrayBuffer(this.#samples * 2));
    this.#filled = 0;
    this.#peak = 0;
  }
}

function mixed(channels) {
  if (channels.length === 1) return channels[0];
  return channels[0].map((_, at) => channels.reduce((sum, channel) => sum + channel[at], 0) / channels.length);
}

registerProcessor('pcm', Pcm);
