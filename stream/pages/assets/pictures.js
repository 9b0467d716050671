// What a video element shows, as JPEG at the bundle's rate, each picture with its own time.

const LONGEST_SIDE = 640;
const QUALITY = 0.8;
const ENCODING = 3; // pictures at once; one more is left out

/** The slots of a rate: at most one picture in each, give or take a quarter of it. */
class Slots {
  #length;
  #first = null;
  #taken = -1;

  constructor(length) {
    this.#length = length;
  }

  takes(time) {
    this.#first ??= time;
    const slot = Math.floor((time - this.#first + this.#length / 4) / this.#length);
    if (slot <= this.#taken) return false;
    this.#taken = slot;
    return true;
  }
}

/**
 * Call `seen(bytes, time)` for each picture in order; `timeOf` makes its time in ms of what the browser says of a frame.
 * Returns a function that stops it.
 */
export function watch(video, tick, timeOf, seen) {
  const slots = new Slots(tick);
  const idle = Array.from({ length: ENCODING }, () => new OffscreenCanvas(1, 1));
  let order = Promise.resolve();
  let handle = video.requestVideoFrameCallback(shown);

  function shown(now, metadata) {
    handle = video.requestVideoFrameCallback(shown);
    const time = timeOf(now, metadata);
    if (idle.length === 0 || !slots.takes(time)) return;
    const canvas = idle.pop();
    draw(video, canvas);
    const encoded = canvas.convertToBlob({ type: 'image/jpeg', quality: QUALITY }).then((blob) => blob.arrayBuffer());
    order = Promise.all([encoded, order]).then(([buffer]) => {
      idle.push(canvas);
      seen(new Uint8Array(buffer), time);
    });
  }

  return () => video.cancelVideoFrameCallback(handle);
}

function draw(video, canvas) {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(video.videoWidth, video.videoHeight));
  const [width, height] = [Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext('2d').drawImage(video, 0, 0, width, height);
}
