// What each modality gave to the last final, its share, and how far sound and pictures lie apart.

import { element, say } from './dom.js';

const NAMES = { audio: 'Sound', video: 'Pictures', text: 'Text' };
const MEANINGS = {
  present: 'present',
  late: 'late',
  silent: 'silent',
  idle: 'absent',
  corrupt: 'unreadable',
  shed: 'left out',
  unusable: 'of no use',
};
const WELL = new Set(['present']);
const ABSENT = new Set(['idle', 'silent']);

export class Health {
  #rows = new Map();
  #skew;

  /** `body` is the table's body, `skew` takes a line of text. */
  constructor(body, skew) {
    this.#skew = skew;
    for (const [modality, name] of Object.entries(NAMES)) {
      const row = new Row(name);
      this.#rows.set(modality, row);
      body.append(row.element);
    }
  }

  show(prediction) {
    for (const [modality, row] of this.#rows) {
      const gave = prediction.modalities[modality];
      if (gave) row.show(gave);
    }
    say(this.#skew, apart(prediction.skew_ms));
  }
}

class Row {
  #status = element('span', { class: 'status', 'data-kind': 'absent' }, 'no final yet');
  #fill = element('span', { class: 'fill' });
  #share = element('span', { class: 'share' }, '–');
  #frames = element('td', { class: 'count' }, '–');
  #faults = element('td', { class: 'count' }, '–');

  constructor(name) {
    const bar = element('span', { class: 'bar', 'aria-hidden': 'true' }, this.#fill);
    this.element = element(
      'tr',
      {},
      element('th', { scope: 'row' }, name),
      element('td', {}, this.#status),
      element('td', { class: 'weight' }, bar, this.#share),
      this.#frames,
      this.#faults,
    );
  }

  show(gave) {
    say(this.#status, MEANINGS[gave.status] ?? gave.status);
    this.#status.dataset.kind = kind(gave.status);
    this.#status.title = counts(gave.counts);
    this.#fill.style.inlineSize = `${100 * gave.weight}%`;
    say(this.#share, `${Math.round(100 * gave.weight)} %`);
    say(this.#frames, String(gave.frames));
    say(this.#faults, `${gave.late}, ${gave.lost}`);
  }
}

function kind(status) {
  if (WELL.has(status)) return 'well';
  return ABSENT.has(status) ? 'absent' : 'trouble';
}

function counts(found) {
  const parts = Object.entries(found).filter(([, count]) => count > 0);
  return `hops: ${parts.map(([status, count]) => `${status} ${count}`).join(', ') || 'none'}`;
}

function apart(skewMs) {
  if (skewMs === null) return 'not measured in the last final';
  const size = `${Math.abs(skewMs).toFixed(0)} ms`;
  if (Math.abs(skewMs) < 0.5) return 'sound and pictures together';
  return skewMs > 0 ? `sound ${size} ahead of pictures` : `sound ${size} behind pictures`;
}
