// The page that is a source itself: camera and microphone, or a clip, and what is typed.

import { allowed, capture } from './camera.js';
import { play } from './clip.js';
import { Clock, pageNow } from './clock.js';
import { byId, say } from './dom.js';
import { Source } from './source.js';
import { View } from './view.js';

const SETTLING = 5_000; // ms to wait for the clock at most
const STATES = {
  idle: 'not sending',
  connecting: 'connecting',
  open: 'sending',
  waiting: 'connection lost, trying again; sound is kept',
  ended: 'ended',
};
const HELD = {
  half: 'The connection is slow: every second picture is left out, all of the sound goes on.',
  none: 'The connection is slow: no pictures are sent, all of the sound goes on.',
};

const named = new URLSearchParams(location.search).get('session');
const session = named || `live-${Math.random().toString(36).slice(2, 8)}`;
const preview = byId('preview');
const start = byId('start');
const stop = byId('stop');
const clock = new Clock();
let source = null;
let stopSending = null;
let told = ''; // what the server said last
let ended = Promise.resolve(); // once the source before has had its last words

say(byId('session'), session);
byId('session').href = `/sessions/${encodeURIComponent(session)}`;
byId('vtt').href = `/sessions/${encodeURIComponent(session)}/captions.vtt`;
new View(clock).follow(session, named ? 'beginning' : 'latest', new AbortController().signal);

start.addEventListener('click', () => send(fromCamera));
stop.addEventListener('click', end);
byId('file').addEventListener('change', ({ target }) => target.files[0] && send(fromClip(target.files[0])));
byId('hint').addEventListener('submit', (event) => {
  event.preventDefault();
  hint(byId('hint-text').value.trim());
});
addEventListener('pagehide', () => source?.leave());
acceptDrops(byId('stage'));
start.disabled = byId('file').disabled = false;

/** Connect, learn the time, then let `begin` start what is captured. */
async function send(begin) {
  await ended; // else its end would come after this beginning
  if (source) return;
  complain('');
  const mine = new Source(session, clock, showSource);
  source = mine;
  show({ sending: true });
  stop.focus();
  try {
    const wanted = await mine.wanted;
    await settled();
    const stopThis = await begin(wanted);
    if (source === mine) stopSending = stopThis;
    else stopThis(); // stopped while the browser asked
  } catch (error) {
    complain(`Nothing is sent: ${because(error)}.`);
    if (source === mine) await end();
  }
}

async function end() {
  stopSending?.();
  stopSending = null;
  const ending = source;
  source = null;
  const leaves = [stop, byId('hint-text'), byId('hint-send')].includes(document.activeElement); // with what is out of use now
  show({ sending: false });
  if (leaves) start.focus();
  ended = ending?.end() ?? ended;
  await ended;
}

function show({ sending }) {
  start.hidden = byId('file').disabled = sending;
  stop.hidden = byId('hint-text').disabled = byId('hint-send').disabled = !sending;
}

function heard(wanted) {
  return (bytes, time, peak) => {
    source?.send('audio', `audio/L16;rate=${wanted.rate_hz};channels=1`, bytes, time);
    byId('loudness').style.inlineSize = `${Math.min(100, 100 * Math.sqrt(peak))}%`;
  };
}

function seen(bytes, time) {
  source?.send('video', 'image/jpeg', bytes, time);
}

async function fromCamera(wanted) {
  const stream = await allowed(wanted.tick_ms);
  if (!stream.getVideoTracks().length) complain('There is no camera: only sound is sent.');
  if (!stream.getAudioTracks().length) complain('There is no microphone: only pictures are sent.');
  const lost = (kind) => complain(`The ${kind === 'audio' ? 'microphone' : 'camera'} is gone; stop and start again to use another.`);
  return capture(stream, preview, wanted, { heard: heard(wanted), seen, lost });
}

function fromClip(file) {
  return (wanted) => play(file, preview, wanted, { heard: heard(wanted), seen, ended: end });
}

function hint(text) {
  source?.send('text', 'text/plain;charset=utf-8', text, pageNow());
  say(byId('hint-shown'), text ? `Shown to the recogniser: ${text}` : 'Nothing is shown to the recogniser.');
  byId('hint-text').value = '';
}

function showSource(of) {
  const badge = byId('sending');
  badge.dataset.state = of.state;
  say(badge, STATES[of.state]);
  const { audio, video, text } = of.sent;
  say(byId('sent'), `${audio} of sound, ${video} pictures${text ? `, ${text} of text` : ''}`);
  say(byId('left-out'), String(of.leftOut));
  say(byId('backlog'), `${Math.round(of.backlog / 1024)} KiB`);
  say(byId('offset'), clock.known ? `${clock.offset.toFixed(1)} ms ± ${(clock.delay / 2).toFixed(1)} ms` : 'not measured');
  say(byId('held'), HELD[of.level] ?? '');
  if (of.problem === told) return;
  told = of.problem;
  complain(told && `The server says: ${told}`);
}

function complain(text) {
  say(byId('problem'), text);
}

async function settled() {
  const until = pageNow() + SETTLING;
  while (!clock.settled) {
    if (pageNow() > until) throw new Error('the server did not tell the time');
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

function because(error) {
  const known = {
    NotAllowedError: 'camera and microphone were not allowed; allow them in the browser’s address bar and start again',
    NotFoundError: 'this device has neither camera nor microphone; choose a clip',
    NotReadableError: 'another program holds the camera or the microphone; close it and start again',
    NotSupportedError: 'this browser cannot play that file; choose MP4 or WebM',
  };
  if (!navigator.mediaDevices) return 'browsers give a camera to pages of this machine or over HTTPS only';
  return known[error.name] ?? error.message;
}

function acceptDrops(stage) {
  for (const name of ['dragover', 'dragenter']) {
    addEventListener(name, (event) => {
      event.preventDefault();
      stage.classList.add('dropping');
    });
  }
  addEventListener('dragleave', (event) => event.relatedTarget ?? stage.classList.remove('dropping'));
  addEventListener('drop', (event) => {
    event.preventDefault();
    stage.classList.remove('dropping');
    const [file] = event.dataTransfer.files;
    if (file && source) complain('The clip was not taken, since something is being sent: stop first, then drop it again.');
    else if (file) send(fromClip(file));
  });
}
