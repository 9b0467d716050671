// Elements without markup: whatever a frame or a prediction says is text, never HTML.

/** Make an element; `attributes` are set as they are, children are elements or text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no element '${id}', expected one: look at its HTML.`);
  return found;
}

/** Change a text only if it differs, so that nothing is announced or drawn for nothing. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
