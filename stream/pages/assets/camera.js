// Camera and microphone as they are: no processing that a listener would like and a recogniser would not.

import { fromTimeStamp, pageNow } from './clock.js';
import { listen } from './microphone.js';
import { watch } from './pictures.js';

const SOUND = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const SIZE = { width: { ideal: 640 }, height: { ideal: 480 } };

/** Ask for both, then for either. */
export async function allowed(tick) {
  const video = { ...SIZE, frameRate: { ideal: 1000 / tick } };
  const wishes = [{ audio: SOUND, video }, { audio: SOUND }, { video }];
  let fault;
  for (const wish of wishes) {
    try {
      return await navigator.mediaDevices.getUserMedia(wish);
    } catch (error) {
      fault ??= error;
      if (error.name === 'NotAllowedError') break;
    }
  }
  throw fault;
}

/** Hand on what camera and microphone give; resolves to a function that stops it. `lost` is told of one that is unplugged. */
export async function capture(stream, preview, wanted, { heard, seen, lost }) {
  preview.srcObject = stream;
  preview.muted = true;
  await preview.play();
  for (const one of stream.getTracks()) one.addEventListener('ended', () => lost(one.kind));
  const [track] = stream.getAudioTracks();
  const stops = [];
  if (track) stops.push(await listen(track, wanted.rate_hz, heard));
  if (stream.getVideoTracks().length) stops.push(watch(preview, wanted.tick_ms, captured, seen));
  return () => {
    for (const stop of stops) stop();
    for (const one of stream.getTracks()) one.stop();
    preview.srcObject = null;
  };
}

/** When the camera took it, where the browser knows; else when it was to be shown. */
function captured(now, { captureTime, presentationTime }) {
  return Math.min(fromTimeStamp(captureTime ?? presentationTime ?? now), pageNow());
}
