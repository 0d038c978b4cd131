// How fast the extension is in a real VS Code window, on a machine that has nothing else to do.
//
//   node measure.mjs TOOLS REPOSITORY LANCEFILL VSIX FOLDER [BLOCKS [POSITIONS]]
//
// Writes figures.json and figures.txt into FOLDER and prints the latter; the exit status is 1 where
// a figure could not be taken, a request ended without a documented reason, or the code on the disk
// is not what was typed. A goal that is missed fails nothing: the table says so.

import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import {
  askedModel,
  differenceOfP95,
  documentedReasons,
  outcomes,
  quantile,
  rememberedMs,
} from './figures.mjs';
import { installProbe, pauseToGhost, takeKeys } from './probe.mjs';
import { ghostNow, save, until } from './screen.mjs';
import { table } from './table.mjs';
import { codeLines, Typist } from './typist.mjs';
import { openBrowser, VSCode } from './vscode.mjs';

const [tools, repository, lancefill, vsix, folder] = process.argv
  .slice(2, 7)
  .map((p) => resolve(p));
const [blocks = 16, positions = 50] = process.argv.slice(7).map(Number);
const GUIDE = new URL('../../docs/user-guide.md', import.meta.url);
const TYPED = 'httpx/_models.py'; // within the repository
const BLOCK_LINES = 2;
const SETTLE_MS = 1500; // between blocks: what one window started does not burden the other
const RELOADS = 5;
const THROUGH = 8; // so many letters of a shown text are typed
const THROUGH_PACE_MS = 90;
const READY_MS = 60_000;
const DRAWN_MS = 1000; // a popup that has come is on the screen by then, or lost

/** VS Code as it comes, its own list of words included, but no key may accept anything. */
const TYPING = {
  'editor.wordBasedSuggestions': 'matchingDocuments',
  'editor.acceptSuggestionOnCommitCharacter': false,
};
/** No text is late or unlikely, no popup in its way: every one that comes is timed. */
const PAUSING = {
  'lancefill.maxLatencyMs': 5000,
  'lancefill.minConfidence': 0,
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.suggestOnTriggerCharacters': false,
};

/** The popup's name stands in another file: no list of words has it, only the index. */
const FLOCK = 'class Cormorant:\n    def dive(self): ...\n';
const START = 'from window_flock import Cormorant\n\nbird = Cormorant()\nbird.';
const FIRST = 'dive';
const recording = join(mkdtempSync(join(tmpdir(), 'lancefill-recording-')), 'requests.jsonl');
const lines = codeLines(readFileSync(join(repository, TYPED), 'utf8'));

async function main() {
  mkdirSync(folder, { recursive: true });
  const settings = { ...TYPING, 'lancefill.path': recorded() };
  const having = await VSCode.start({ tools, repository, vsix, settings });
  const lacking = await VSCode.start({ tools, repository, settings: TYPING });
  const browser = await openBrowser(tools);
  try {
    const [page, plain] = [await newPage(browser), await newPage(browser)];
    const figures = { when: new Date().toISOString(), blocks, positions };
    figures.activation = await activation(having, page);
    const before = entries().length;
    figures.keys = await keys([having, page], [lacking, plain]);
    const typed = entries().slice(before);
    figures.requests = outcomes(typed, documentedReasons(readFileSync(GUIDE, 'utf8')));
    figures.pause = await pauses(having, page);
    report(figures);
  } finally {
    await browser.close();
    await having.stop(join(folder, 'logs'));
    await lacking.stop();
  }
}

async function newPage(browser) {
  const page = await browser.newPage({ viewport: { width: 1200, height: 700 } });
  await installProbe(page);
  return page;
}

function report(figures) {
  writeFileSync(join(folder, 'figures.json'), `${JSON.stringify(figures, null, 1)}\n`);
  const text = table(figures);
  writeFileSync(join(folder, 'figures.txt'), text);
  console.log(text);
  const { popup, ghost } = figures.requests;
  const unexplained = [...popup.unexplained, ...ghost.unexplained];
  assert.deepEqual(unexplained, [], 'requests ended without a documented reason');
  assert.ok(figures.pause.ghost.count >= Math.min(40, positions), 'too few ghost texts came');
}

// Activation to the first popup ---------------------------------------------------------------------

/** Milliseconds from a reload, and from the extension's start in it, to the first popup. */
async function activation(code, page) {
  code.write('flock', FLOCK);
  code.write('start', START);
  await popupAfterReload(code, page);
  await until(page, 'the server is not ready', ready, READY_MS); // the index is complete
  const taken = { reload: [], activation: [] };
  for (let round = 0; round < RELOADS; round += 1) {
    const { from, at } = await popupAfterReload(code, page);
    taken.reload.push(at - from);
    taken.activation.push(at - startedAt(code));
  }
  return { reload: summary(taken.reload), activation: summary(taken.activation) };
}

async function popupAfterReload(code, page) {
  await page.goto('about:blank'); // the old window and its server end at once
  await page.waitForTimeout(SETTLE_MS);
  const from = Date.now();
  await code.show(page, 'start');
  await page.keyboard.press('Control+End');
  const there = page.waitForFunction(
    (first) => {
      const labels = document.querySelectorAll('.suggest-widget.visible .label-name');
      return [...labels].some((label) => label.textContent === first) && Date.now();
    },
    FIRST,
    { polling: 'raf', timeout: READY_MS },
  );
  let at;
  const seen = there.then(async (handle) => {
    at = await handle.jsonValue();
  });
  while (at === undefined) {
    if (!asking(from)) {
      await page.keyboard.press('Escape'); // with a list open the next key would show its details
      await page.keyboard.press('Control+Space');
    }
    await Promise.race([seen, page.waitForTimeout(100)]);
  }
  await page.keyboard.press('Escape');
  return { from, at };
}

/** When the extension last started its server, by its own log: ms since the epoch. */
function startedAt(code) {
  const starts = [...code.log().matchAll(/^(\S+ \S+) \[info\] starting /gm)];
  return Math.max(...starts.map(([, at]) => new Date(at).getTime()));
}

// Keys, with the extension and without ----------------------------------------------------------------

/** The same lines in both windows, a block in one and then in the other, the first one changing. */
async function keys(having, lacking) {
  const windows = [having, lacking];
  for (const [code, page] of windows) {
    code.write('keys', '');
    await code.open(page, 'keys');
  }
  await until(having[1], 'the server is not ready', ready, READY_MS);
  const typists = windows.map(([, page]) => new Typist(page, { fast: 60, slow: 160 }));
  const pairs = [];
  let lost = 0;
  for (let block = 0; block < blocks; block += 1) {
    const pair = [];
    console.error(`typing, block ${block + 1} of ${blocks}`);
    for (const which of block % 2 === 0 ? [0, 1] : [1, 0]) {
      const taken = await typeBlock(windows[which][1], typists[which], block);
      pair[which] = taken.keys;
      lost += taken.lost;
    }
    pairs.push(pair);
  }
  for (const [index, [code, page]] of windows.entries()) {
    await page.keyboard.press('Escape');
    await save(page);
    assert.equal(code.read('keys'), typists[index].written, 'what is on the disk was not typed');
  }
  const [mine, theirs] = [0, 1].map((which) => summary(pairs.flatMap((pair) => pair[which])));
  return { with: mine, without: theirs, lost, p95: differenceOfP95(pairs) };
}

async function typeBlock(page, typist, block) {
  await page.bringToFront();
  await page.waitForTimeout(SETTLE_MS);
  await takeKeys(page);
  for (let line = 0; line < BLOCK_LINES; line += 1) {
    for (const piece of lines[(block * BLOCK_LINES + line) % lines.length]) {
      await typist.letters(piece);
      await page.waitForTimeout(300); // long enough for ghost text to come
    }
    await typist.line();
  }
  return takeKeys(page);
}

// Ghost text after a pause, and typed through ---------------------------------------------------------

async function pauses(code, page) {
  mkdirSync(join(code.workspace, '.vscode'), { recursive: true });
  writeFileSync(join(code.workspace, '.vscode', 'settings.json'), JSON.stringify(PAUSING));
  code.write('pauses', '');
  await code.open(page, 'pauses');
  await page.bringToFront();
  const typist = new Typist(page, { fast: 30, slow: 60 });
  const taken = { looked: 0, pauses: [], through: 0, stayed: 0, reused: 0 };
  console.error(`pausing at ${positions} places`);
  for (const pieces of lines) {
    if (taken.pauses.length >= positions) {
      break;
    }
    await pauseInLine(page, typist, pieces, taken);
  }
  await save(page);
  assert.equal(code.read('pauses'), typist.written, 'what is on the disk was not typed');
  const { looked, through, stayed, reused } = taken;
  const remembered = summary(rememberedMs(entries()));
  return { looked, ghost: summary(taken.pauses), through, stayed, reused, remembered };
}

/** Types a line up to the first place where text comes, goes on with that text, ends the line. */
async function pauseInLine(page, typist, pieces, taken) {
  for (const piece of pieces.slice(0, -1)) {
    await typist.letters(piece);
    const seen = await typist.look();
    const after = await pauseToGhost(page);
    taken.looked += 1;
    if (seen !== '' && after !== null) {
      taken.pauses.push(after);
    }
    if (seen !== '') {
      await typeThrough(page, typist, seen, taken);
      break;
    }
  }
  await page.keyboard.press('Escape');
  await typist.line();
}

/** Types the beginning of what is shown, all but its last letter, and looks whether the rest stays. */
async function typeThrough(page, typist, seen, taken) {
  const [first] = seen.split('\n');
  for (let typed = 1; typed < Math.min(first.length, THROUGH + 1); typed += 1) {
    const from = Date.now();
    await page.keyboard.type(seen[typed - 1]);
    typist.written += seen[typed - 1];
    await page.waitForTimeout(THROUGH_PACE_MS);
    const stays = (await ghostNow(page)) === seen.slice(typed);
    taken.through += 1;
    taken.stayed += stays ? 1 : 0;
    taken.reused += stays && !askedModel(entries(), from, Date.now()) ? 1 : 0;
    if (!stays) {
      return; // what is shown now is another text
    }
  }
}

// What is recorded ------------------------------------------------------------------------------------

/** An executable that runs the server behind recorder.mjs, and any other command as it is. */
function recorded() {
  const file = `${recording}.sh`;
  const recorder = new URL('recorder.mjs', import.meta.url).pathname;
  const words = [process.execPath, recorder, recording, lancefill].map((word) => `"${word}"`);
  const serve = `[ "$1" = serve ] && exec ${words.join(' ')} "$@"`;
  writeFileSync(file, `#!/bin/sh\n${serve}\nexec "${lancefill}" "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}

function entries() {
  const text = existsSync(recording) ? readFileSync(recording, 'utf8') : '';
  const whole = text.slice(0, text.lastIndexOf('\n')); // the last line may still be being written
  return whole
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** Whether a popup that was asked for after a time is owed by the server, or being drawn. */
function asking(from) {
  const since = entries().filter(({ feature, at }) => feature === 'popup' && at > from);
  const asked = since.filter(({ kind }) => kind === 'asked').length;
  const answers = since.filter(({ kind }) => kind === 'answered');
  const last = answers.at(-1);
  const drawn = last === undefined || last.items === 0 || Date.now() - last.at > DRAWN_MS;
  return asked > answers.length || !drawn;
}

function ready() {
  const last = entries().findLast(({ kind }) => kind === 'status');
  return last !== undefined && last.busy === false;
}

function summary(values) {
  const rounded = (value) => Math.round(value * 10) / 10;
  const [p50, p95] = [0.5, 0.95].map((share) => rounded(quantile(values, share)));
  return { count: values.length, p50, p95, most: rounded(Math.max(...values)) };
}

await main();
