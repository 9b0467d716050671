// Frames as CloudEvents in structured JSON, one a message.

const SPEC = { specversion: '1.0', source: '/live' };
const TYPES = { frame: 'trivium.frame.v1', bound: 'trivium.bound.v1', end: 'trivium.end.v1', clock: 'trivium.clock.v1' };

/** RFC 3339 with microseconds, of ms since the epoch. */
export function rfc3339(timeMs) {
  const whole = Math.floor(timeMs);
  const micros = Math.min(999, Math.round((timeMs - whole) * 1000));
  return `${new Date(whole).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}

/** One piece of one modality: `content` is text, or bytes. */
export function frame(id, sequence, timeMs, contentType, content) {
  const data = typeof content === 'string' ? { data: content } : { data_base64: base64(content) };
  const stamped = { time: rfc3339(timeMs), sequence: String(sequence).padStart(10, '0') };
  return JSON.stringify({ ...SPEC, id, type: TYPES.frame, ...stamped, datacontenttype: contentType, ...data });
}

/** Nothing earlier of this modality will come (`bound`), or nothing at all (`end`). */
export function signal(kind, id, modality, timeMs) {
  return JSON.stringify({ ...SPEC, id, type: TYPES[kind], time: rfc3339(timeMs), modality });
}

/** Ask what time it is. */
export function clockRequest(id, originMs) {
  return JSON.stringify({ ...SPEC, id, type: TYPES.clock, datacontenttype: 'application/json', data: { origin_ms: originMs } });
}

function base64(bytes) {
  if (bytes.toBase64) return bytes.toBase64();
  const parts = [];
  for (let at = 0; at < bytes.length; at += 0x8000) parts.push(String.fromCharCode(...bytes.subarray(at, at + 0x8000)));
  return btoa(parts.join(''));
}
