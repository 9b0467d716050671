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
  const stops = [];
  const stop = () => {
    for (const one of stops) one();
    release(stream, preview);
  };
  try {
    preview.srcObject = stream;
    preview.muted = true;
    await preview.play();
    for (const one of stream.getTracks()) one.addEventListener('ended', () => lost(one.kind));
    const [track] = stream.getAudioTracks();
    if (track) stops.push(await listen(track, wanted.rate_hz, heard));
    if (stream.getVideoTracks().length) stops.push(watch(preview, wanted.tick_ms, captured, seen));
  } catch (error) {
    stop(); // else the camera's light stays on
    throw error;
  }
  return stop;
}

/** Let go of the devices; by now the preview may show something else. */
function release(stream, preview) {
  for (const one of stream.getTracks()) one.stop();
  if (preview.srcObject === stream) preview.srcObject = null;
}

/** When the camera took it, where the browser knows; else when it was to be shown. */
function captured(now, { captureTime, presentationTime }) {
  return Math.min(fromTimeStamp(captureTime ?? presentationTime ?? now), pageNow());
}
