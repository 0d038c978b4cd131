// Takes the pictures of a short film: a popup, ghost text, and both accepted. film.py joins them.
//
//   node film.mjs TOOLS REPOSITORY LANCEFILL VSIX FRAMES
//   python film.py FRAMES FILM.gif

import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { ghostNow, labels, statusItem, until } from './screen.mjs';
import { openBrowser, VSCode } from './vscode.mjs';

const [tools, repository, lancefill, vsix, folder] = process.argv.slice(2).map((p) => resolve(p));
const LETTER_MS = 90;
const LOOK_MS = 1400;
const DRAWN_MS = 250; // until what a key leads to is on the screen
const SIZE = { width: 760, height: 560 };

const SETTINGS = {
  'lancefill.path': lancefill,
  'lancefill.maxLatencyMs': 2000,
  'editor.fontSize': 16,
  'editor.cursorBlinking': 'solid',
  'editor.stickyScroll.enabled': false,
  'editor.suggestFontSize': 14,
  'breadcrumbs.enabled': false,
  'workbench.activityBar.location': 'hidden',
};

const BEGUN = `import httpx


class Feed:
    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def fetch(self, url: str) -> dict:
        response = `;

const frames = [];

async function main() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const code = await VSCode.start({ tools, repository, vsix, settings: SETTINGS });
  const browser = await openBrowser(tools);
  try {
    const page = await browser.newPage({ viewport: SIZE });
    code.write('film', BEGUN);
    await code.open(page, 'film');
    await page.keyboard.press('Control+b'); // the side bar
    await until(page, 'the server is not ready', async () => /^ready/.test(await statusItem(page)));
    await page.waitForTimeout(LOOK_MS); // until the status item is no longer shown
    await scene(page);
  } finally {
    await browser.close();
    await code.stop();
  }
  writeFileSync(join(folder, 'frames.json'), JSON.stringify(frames));
}

async function scene(page) {
  await frame(page, LOOK_MS);
  await type(page, 'self.client.');
  await popup(page, 'get');
  await type(page, 'ge');
  await popup(page, 'get');
  await press(page, 'Tab');
  await type(page, '(url)');
  await press(page, 'Enter');
  await type(page, '        response.ra');
  await popup(page, 'raise_for_status');
  await press(page, 'Tab');
  await type(page, '()');
  await press(page, 'Enter');
  await type(page, '        return ');
  await ghost(page);
  await press(page, 'Tab');
  await frame(page, 2 * LOOK_MS);
}

/** A picture of the window as it is, to be seen for so many milliseconds. */
async function frame(page, duration) {
  const file = `${String(frames.length).padStart(3, '0')}.png`;
  await page.screenshot({ path: join(folder, file) });
  frames.push({ file, duration });
}

async function type(page, text) {
  for (const letter of text) {
    await page.keyboard.type(letter);
    await page.waitForTimeout(DRAWN_MS);
    await frame(page, LETTER_MS);
  }
}

async function press(page, key) {
  await page.keyboard.press(key);
  await page.waitForTimeout(DRAWN_MS);
  await frame(page, LOOK_MS / 3);
}

async function popup(page, label) {
  await until(page, `no popup with ${label}`, async () => (await labels(page)).includes(label));
  await page.waitForTimeout(DRAWN_MS);
  await frame(page, LOOK_MS);
}

async function ghost(page) {
  await until(page, 'no ghost text', async () => (await ghostNow(page)) !== '');
  await page.waitForTimeout(DRAWN_MS);
  assert.notEqual(await ghostNow(page), '', 'the ghost text has gone');
  await frame(page, LOOK_MS);
}

await main();
