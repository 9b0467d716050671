// The page that follows one session, whoever sends it.

import { Clock, ask } from './clock.js';
import { byId, say } from './dom.js';
import { View } from './view.js';

const session = decodeURIComponent(location.pathname.slice('/sessions/'.length));
const clock = new Clock();

document.title = `${session} · Trivium`;
say(byId('session'), session);
byId('vtt').href = `/sessions/${encodeURIComponent(session)}/captions.vtt`;
ask(clock);
new View(clock).follow(session, 'beginning', new AbortController().signal);
