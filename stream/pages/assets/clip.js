// A media file in place of camera and microphone, played in real time. Its sound is decoded whole, so that sound and
// pictures are stamped by the file's own time, whatever the devices of this machine do.

import { pageNow } from './clock.js';
import { watch } from './pictures.js';

const MOST_BYTES = 200 << 20;
const FRAME = 40; // ms of sound

/** Play `file` in `preview`; resolves, once it plays, to a function that stops it. `ended` is called at its end. */
export async function play(file, preview, wanted, { heard, seen, ended }) {
  if (file.size > MOST_BYTES) throw new Error(`the clip has ${file.size >> 20} MiB, at most ${MOST_BYTES >> 20} are played`);
  const sound = await decoded(file, wanted.rate_hz);
  const address = URL.createObjectURL(file);
  preview.src = address;
  preview.muted = true;
  let start = null; // this page's time of the clip's time 0, once it plays
  let at = 0;
  const samples = (wanted.rate_hz * FRAME) / 1000;
  const began = () => (start ??= pageNow() - preview.currentTime * 1000);
  const timeOf = (_, { mediaTime }) => began() + mediaTime * 1000;

  function hear(until) {
    for (; (at + samples) / wanted.rate_hz <= until && at + samples <= sound.length; at += samples) {
      const { bytes, peak } = pcm(sound.subarray(at, at + samples));
      heard(bytes, began() + (at * 1000) / wanted.rate_hz, peak);
    }
  }

  const timer = setInterval(() => preview.currentTime > 0 && hear(preview.currentTime), FRAME / 2);
  const stopPictures = watch(preview, wanted.tick_ms, timeOf, seen);
  const stopping = new AbortController(); // the element outlives this clip: the next one's end is not ours
  const stop = () => {
    stopping.abort();
    clearInterval(timer);
    stopPictures();
    preview.pause();
    preview.removeAttribute('src');
    preview.load();
    URL.revokeObjectURL(address);
  };
  preview.addEventListener('ended', () => {
    hear(Infinity);
    ended();
  }, { once: true, signal: stopping.signal });
  try {
    await preview.play();
  } catch (error) {
    stop();
    throw error;
  }
  return stop;
}

async function decoded(file, rate) {
  const context = new OfflineAudioContext(1, 1, rate);
  try {
    const found = await context.decodeAudioData(await file.arrayBuffer()); // resampled to the context's rate
    const channels = Array.from({ length: found.numberOfChannels }, (_, number) => found.getChannelData(number));
    return channels[0].map((_, at) => channels.reduce((sum, channel) => sum + channel[at], 0) / channels.length);
  } catch {
    return new Float32Array(0); // pictures only
  }
}

function pcm(samples) {
  const view = new DataView(new ArrayBuffer(samples.length * 2));
  let peak = 0;
  samples.forEach((sample, at) => {
    peak = Math.max(peak, Math.abs(sample));
    view.setInt16(at * 2, Math.max(-32768, Math.min(32767, Math.round(sample * 32768))));
  });
  return { bytes: new Uint8Array(view.buffer), peak };
}
