// A microphone's track to frames of sound, each with its capture time.

import { pageNow } from './clock.js';
import { Stamps } from './stamps.js';

const FRAME = 40; // ms
const WARM = 12; // frames that only show how the clocks lie

/** Call `heard(bytes, time, peak)` for each frame; resolves to a function that stops it. */
export async function listen(track, rate, heard) {
  const stream = new MediaStream([track]);
  const { context, input } = connected(stream, rate);
  await context.audioWorklet.addModule('/assets/worklet.js');
  const processorOptions = { rate, samples: (rate * FRAME) / 1000 };
  const node = new AudioWorkletNode(context, 'pcm', { processorOptions });
  const stamps = new Stamps((track.getSettings().latency ?? 0) * 1000);
  let count = 0;
  node.port.addEventListener('message', ({ data: { end, buffer, peak } }) => {
    const time = stamps.at(end, pageNow());
    count += 1;
    if (count > WARM) heard(new Uint8Array(buffer), time - FRAME, peak);
  });
  node.port.start();
  input.connect(node).connect(context.destination); // silent, but only what leads there is computed
  await context.resume();
  return () => context.close();
}

/** A context at the model's rate, where the browser lets a microphone of another rate into it; else at the device's. */
function connected(stream, rate) {
  const wanted = new AudioContext({ sampleRate: rate, latencyHint: 'interactive' });
  try {
    return { context: wanted, input: wanted.createMediaStreamSource(stream) };
  } catch {
    wanted.close();
    const context = new AudioContext({ latencyHint: 'interactive' });
    return { context, input: context.createMediaStreamSource(stream) };
  }
}
