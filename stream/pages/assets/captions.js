// Captions: finals one below the other, fixed; under them what is being said, greyed, revised in place.

import { element, say } from './dom.js';

const MOST_FINALS = 400; // more stay in captions.vtt
const DOUBTFUL = 0.6; // confidence below which a word is marked

export class Captions {
  #finals;
  #interims;
  #open = new Map(); // segment -> {prediction, line}
  #start = null;

  /** Two lists: `finals` stands in an ARIA log, `interims` is not announced. */
  constructor(finals, interims) {
    this.#finals = finals;
    this.#interims = interims;
  }

  /** Times are shown from here on. */
  startAt(startMs) {
    this.#start = startMs;
  }

  show(prediction) {
    this.#start ??= prediction.start_ms;
    const follows = this.#atEnd();
    if (prediction.is_final) this.#fix(prediction);
    else this.#revise(prediction);
    if (follows) this.#toEnd();
  }

  /** The session is over: what was never made final is not shown as if it were. */
  close() {
    for (const segment of [...this.#open.keys()]) this.#drop(segment);
  }

  #fix(prediction) {
    for (const [segment, { prediction: shown }] of this.#open) {
      if (segment <= prediction.segment || shown.start_ms < prediction.end_ms) this.#drop(segment);
    }
    this.#finals.append(this.#line(prediction));
    while (this.#finals.children.length > MOST_FINALS) this.#finals.firstElementChild.remove();
  }

  #revise(prediction) {
    for (const [segment, { prediction: shown }] of this.#open) {
      if (segment !== prediction.segment && shown.epoch < prediction.epoch) this.#drop(segment);
    }
    const known = this.#open.get(prediction.segment);
    const line = known?.line ?? this.#line(prediction);
    if (known) write(line.querySelector('.words'), prediction);
    else this.#interims.append(line);
    this.#open.set(prediction.segment, { prediction, line });
  }

  #drop(segment) {
    this.#open.get(segment).line.remove();
    this.#open.delete(segment);
  }

  #line(prediction) {
    const time = element('time', {}, clock(prediction.start_ms - this.#start));
    const words = element('p', { class: 'words' });
    write(words, prediction);
    const line = element('li', {}, time, words);
    line.dataset.segment = prediction.segment;
    return line;
  }

  /** Whether the reader has the end before their eyes, or has not come to it yet. */
  #atEnd() {
    return this.#interims.getBoundingClientRect().top < innerHeight;
  }

  #toEnd() {
    const last = this.#interims.lastElementChild ?? this.#finals.lastElementChild;
    last?.scrollIntoView({ block: 'nearest' });
  }
}

/** Put a prediction's words into a line; those that stay the same stay the same elements. */
function write(line, prediction) {
  prediction.words.forEach((word, index) => {
    const shown = line.children[index] ?? added(line);
    say(shown, word.word);
    const percent = Math.round(word.confidence * 100);
    shown.dataset.percent = percent;
    shown.title = `${percent} % sure`;
    shown.className = word.confidence < DOUBTFUL ? 'doubtful' : '';
  });
  while (line.children.length > prediction.words.length) line.lastElementChild.remove();
  while (line.lastChild !== line.lastElementChild) line.lastChild.remove(); // the spaces before them
}

function added(line) {
  const word = element('span');
  if (line.children.length) line.append(' ');
  line.append(word);
  return word;
}

/** `1:02:03` or `2:03` of a time in ms. */
export function clock(timeMs) {
  const seconds = Math.max(0, Math.floor(timeMs / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, index) => (index ? String(part).padStart(2, '0') : String(part))).join(':');
}
