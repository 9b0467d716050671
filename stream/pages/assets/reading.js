// What of a session's results is news: finals once each and for ever, interims only while they say something newer.
// Finals and interims come from different producers, so either may overtake the other.

export class Reading {
  #final = -1; // segment of the newest final
  #newest = [-1, -1, -1]; // segment, epoch and revision of the newest interim
  #started = -1;

  /** Whether a prediction is to be shown. */
  isNews(prediction) {
    const { segment, epoch, revision } = prediction;
    if (prediction.is_final) {
      const newer = segment > this.#final;
      this.#final = Math.max(this.#final, segment);
      return newer;
    }
    const key = [segment, epoch, revision];
    const newer = segment > this.#final && compare(key, this.#newest) > 0;
    if (newer) this.#newest = key;
    return newer;
  }

  /** A session's record; a name that is used again starts afresh, and this tells so. */
  begins(record) {
    if (record.state !== 'started' || record.start_ms === this.#started) return false;
    this.#started = record.start_ms;
    this.#final = -1;
    this.#newest = [-1, -1, -1];
    return true;
  }
}

function compare(a, b) {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : a[at] - b[at];
}
