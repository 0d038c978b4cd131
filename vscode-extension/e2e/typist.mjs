// Types the code of a file again, as somebody fast does, and knows what must then be in the buffer.

import assert from 'node:assert/strict';

import { randomness } from './figures.mjs';
import { ghostNow, lastLine } from './screen.mjs';

/** Behind these somebody who knows what follows would look up: `x = `, `f(`, `a.`, `return `. */
const LOOKS_UP = /(?<=\w = |\w\(|\w\.|return |, | in )(?=\S)/;
const GHOST_WAIT_MS = 1000;
const SETTLED_MS = 120; // a text that is drawn unchanged for so long is not being replaced
const DRAWN_MS = 2000;

/**
 * The lines of Python that are code, each in the pieces after which somebody looks up.
 *
 * Nothing is suggested in comments and docstrings, and little while imports are written.
 */
export function codeLines(text) {
  const code = text.replaceAll('\r\n', '\n').replace(/^ *r?"""[^]*?"""$/gm, '');
  const lines = code.slice(Math.max(0, code.search(/^(class|def) /m))).split('\n');
  return lines.filter((line) => /^ *[^ #]/.test(line)).map((line) => line.split(LOOKS_UP));
}

export class Typist {
  /** What must be in the buffer; the cursor is at its end. */
  written = '';
  /** How often ghost text came where none was; one that takes another's place is not counted. */
  shown = 0;
  #last = '';

  /** Letters follow each other after `fast` to `slow` ms, unevenly and the same in every run. */
  constructor(page, { fast = 30, slow = 110, seed = 1 } = {}) {
    this.page = page;
    this.random = randomness(seed);
    this.pause = () => fast + this.random() * (slow - fast);
  }

  async letters(text) {
    for (const letter of text) {
      await this.page.keyboard.type(letter);
      this.written += letter;
      await this.page.waitForTimeout(this.pause());
      await this.#see();
    }
  }

  async line() {
    await this.page.keyboard.press('Enter');
    this.written += '\n';
    await this.page.waitForTimeout(this.pause());
  }

  /** Looks up: the ghost text that settles, empty where none does. */
  async look() {
    const until = Date.now() + GHOST_WAIT_MS;
    while (Date.now() < until) {
      const seen = await this.#see();
      await this.page.waitForTimeout(SETTLED_MS);
      if (seen !== '' && seen === (await this.#see())) {
        return seen;
      }
    }
    return '';
  }

  /** Accepts all of the text that is shown. */
  async accept(shown) {
    await this.page.keyboard.press('Tab');
    this.written += shown;
    await this.#changed(shown);
    return shown;
  }

  /** Accepts a word of the text that is shown; what that is, the buffer tells. */
  async acceptWord(shown) {
    const before = await lastLine(this.page);
    await this.page.keyboard.press('Control+ArrowRight');
    await this.#changed(shown);
    const after = await lastLine(this.page);
    const taken = after.slice(before.length);
    assert.ok(after.startsWith(before), `"${before}" has become "${after}"`);
    assert.ok(taken !== '' && shown.startsWith(taken), `"${taken}" is no beginning of "${shown}"`);
    this.written += taken;
    return taken;
  }

  async #see() {
    const seen = await ghostNow(this.page);
    this.shown += seen !== '' && this.#last === '' ? 1 : 0;
    this.#last = seen;
    return seen;
  }

  async #changed(shown) {
    const until = Date.now() + DRAWN_MS;
    while ((await this.#see()) === shown) {
      assert.ok(Date.now() < until, `"${shown}" was not accepted`);
      await this.page.waitForTimeout(20);
    }
  }
}
