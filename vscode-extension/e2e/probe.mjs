// What runs in the page and notes when things are drawn.

import { GHOST } from './screen.mjs';

/**
 * Installs the probe in every window that the page opens from now on.
 *
 * A letter counts as drawn in the animation frame in which the text of the last line changed, ghost
 * text left out; the time runs from the key's own time stamp, waiting in the browser included.
 */
export async function installProbe(page) {
  await page.addInitScript(probe, GHOST);
}

/** The milliseconds from key to letter noted since the last call, and how many keys are not in it. */
export function takeKeys(page) {
  return page.evaluate(() => {
    const { keys, lost } = window.probe;
    Object.assign(window.probe, { keys: [], lost: 0 });
    return { keys, lost };
  });
}

/** The milliseconds from the last key to the ghost text that came after it; null where none did. */
export function pauseToGhost(page) {
  return page.evaluate(() => {
    const { ghost, pressed } = window.probe;
    return ghost > pressed ? ghost - pressed : null;
  });
}

function probe(selector) {
  const seen = { keys: [], lost: 0, pressed: 0, ghost: 0 };
  window.probe = seen;
  let waiting; // for the letter of a key: when it was pressed, and the line before
  let ghosted = false;
  const top = (line) => Number.parseFloat(line.style.top);
  const below = (a, b) => (top(a) > top(b) ? a : b);
  const line = () => {
    const lines = [...document.querySelectorAll('.view-lines .view-line')];
    const spans = lines.length === 0 ? [] : lines.reduce(below).querySelectorAll('span > span');
    return [...spans].map((span) => (span.matches(selector) ? '' : span.textContent)).join('');
  };
  const pressed = (event) => {
    seen.pressed = event.timeStamp;
    if (event.key.length === 1 && !event.ctrlKey) {
      seen.lost += waiting === undefined ? 0 : 1;
      waiting = { at: event.timeStamp, before: line() };
    }
  };
  const changed = () => {
    const now = performance.now();
    if (waiting !== undefined && line() !== waiting.before) {
      seen.keys.push(now - waiting.at);
      waiting = undefined;
    }
    const ghost = document.querySelector(selector) !== null;
    seen.ghost = ghost && !ghosted ? now : seen.ghost;
    ghosted = ghost;
  };
  window.addEventListener('keydown', pressed, true);
  new MutationObserver(changed).observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
  });
}
