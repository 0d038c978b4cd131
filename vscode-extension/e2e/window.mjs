// A real VS Code in Chromium: installs the VSIX, opens a repository, types, and looks at the screen.
//
//   node window.mjs TOOLS REPOSITORY LANCEFILL VSIX SCREENSHOTS [CASE…]
//
// Each case works on a file of its own; what counts as truth is what lies on the disk after saving.
// Prints one line per case and figures as JSON; the exit status is the number of cases that failed.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

import {
  command,
  ghostNow,
  ghostText,
  gone,
  GHOST,
  labels,
  preview,
  save,
  shown,
  statusItem,
  until,
} from './screen.mjs';
import { codeLines, Typist } from './typist.mjs';
import { MODEL, openBrowser, SERVER_START_MS, VSCode } from './vscode.mjs';

const [tools, repository, lancefill, vsix, screenshots] = process.argv
  .slice(2, 7)
  .map((p) => resolve(p));
const chosen = process.argv.slice(7);
const TYPED = 'httpx/_models.py'; // within the repository
const TYPED_LENGTH = 600;
const DRAWN_MS = 500; // a page is on the screen some time after its text is in the document
const STARTER_MS = 300; // less than the model takes to load
const LONG_MS = 60_000;
const LONG_LIMIT_MS = 180_000; // on a busy machine ghost texts take longer to come
const LONG_SHOWN = 50;
const LONG_ACCEPTED = 20;

const SETTINGS = {
  'lancefill.path': lancefill,
  'lancefill.device': 'cpu',
  'lancefill.maxLatencyMs': 5000,
  'lancefill.minConfidence': 0,
  'lancefill.popupDeadlineMs': 500,
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
};

/** A file of the workspace for one case, with the cursor at its end. */
const CASES = {
  popup:
    'class Pelican:\n    def glide(self): ...\n    def land(self): ...\n    def _rest(self): ...\n\nbird = Pelican()\nbird',
  ghost:
    'class Point:\n    def __init__(self, left, top):\n        self.left = left\n        self.top =',
  word: 'class Point:\n    def __init__(self, left, top):\n        self.left = left\n        self.top =',
  imports: 'import os\n\n\nbird = Cormoran',
  status: 'speed = 1\n# the ',
  models: 'speed = 1\n',
  loading:
    'class Point:\n    def __init__(self, left, top):\n        self.left = left\n        self.top =',
  asked: 'def glide_over_water(speed):\n    """Glide low over the water."""\n\n\n',
  pages: 'class Grebe:\n    def dive(self): ...\n\ngrebe = Grebe()\ngrebe.',
  typing: '',
  long: '',
  killed: 'class Heron:\n    def wade(self): ...\n\nheron = Heron()\nheron',
};

const BODIES = {
  popup,
  imports,
  ghost,
  word,
  asked,
  pages,
  status,
  typing,
  long,
  loading,
  models,
  killed,
};

let failed = 0;
let code; // the VS Code that is driven
const figures = {};

async function main() {
  mkdirSync(screenshots, { recursive: true });
  code = await VSCode.start({ tools, repository, vsix, settings: SETTINGS });
  code.write('flock', 'class Cormorant:\n    def dive(self): ...\n');
  install('mine');
  const browser = await openBrowser(tools);
  try {
    const page = await browser.newPage({ viewport: { width: 1200, height: 700 } });
    const names = Object.keys(BODIES);
    for (const name of names.filter((each) => chosen.length === 0 || chosen.includes(each))) {
      await once(name, page);
    }
    await page.goto('about:blank');
  } finally {
    await browser.close();
    await code.stop(join(screenshots, 'logs'));
  }
}

async function once(name, page) {
  try {
    code.write(name, CASES[name]);
    await code.open(page, name);
    await BODIES[name](page, name);
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error.message}`);
  }
  await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

// Cases ---------------------------------------------------------------------------------------------

async function popup(page, name) {
  const activated = Date.now();
  await page.keyboard.type('.');
  await shown(page, 'glide');
  figures.secondsToFirstPopup = (Date.now() - activated) / 1000;
  const seen = await labels(page);
  await page.screenshot({ path: join(screenshots, 'popup-open.png') });
  await page.keyboard.press('Escape');
  await save(page);
  const position = `${code.path(name)}:7:6`;
  const args = ['complete', position, '--no-ghost', '--json', '--root', code.workspace];
  const told = JSON.parse(execFileSync(lancefill, args, { encoding: 'utf8' }));
  const expected = told.popup.items.map((item) => item.label);
  // Behind the class's own names come those of every object: from jedi, which may be late.
  assert.deepEqual(seen.slice(0, 3), ['glide', 'land', '_rest']);
  assert.deepEqual(seen.slice(0, 3), expected.slice(0, 3), 'the popup is in another order');
}

async function ghost(page, name) {
  await page.keyboard.type(' ');
  const first = await ghostText(page);
  await page.screenshot({ path: join(screenshots, 'ghost-shown.png') });
  await page.keyboard.press('Escape');
  await gone(page, GHOST);
  await page.keyboard.press('Backspace');
  await page.keyboard.type(' ');
  assert.equal(await ghostText(page), first, 'the same place, the same text');
  if (first.length > 1) {
    await page.keyboard.type(first[0]);
    await page.waitForTimeout(300); // for the screen, which is drawn behind the key
    assert.equal(await ghostText(page), first.slice(1), 'typed through, the rest stays');
  }
  await page.keyboard.press('Tab');
  await save(page);
  assert.equal(code.read(name), `${CASES.ghost} ${first}`, 'Tab takes all of it, and nothing else');
}

async function word(page, name) {
  await page.keyboard.type(' ');
  const all = await ghostText(page);
  await page.keyboard.press('Control+ArrowRight');
  await page.waitForTimeout(200);
  await page.keyboard.press('Escape');
  await save(page);
  const taken = code.read(name).slice(CASES.word.length + 1);
  assert.ok(taken.length > 0 && all.startsWith(taken), `"${taken}" of "${all}"`);
}

/** A name of another file brings its import. */
async function imports(page, name) {
  await page.keyboard.type('t');
  await shown(page, 'Cormorant');
  await page.keyboard.press('Tab');
  await page.waitForTimeout(500);
  await save(page);
  const expected = 'import os\nfrom window_flock import Cormorant\n\n\nbird = Cormorant';
  assert.equal(code.read(name), expected);
}

/** A request in plain words: the picker, and the call that it inserts. */
async function asked(page, name) {
  await command(page, 'Lancefill: Ask for an API');
  await page.locator('.quick-input-widget input').fill('glide low over the water');
  await page.keyboard.press('Enter');
  await page.locator('.quick-input-list .monaco-list-row').first().waitFor();
  await page.screenshot({ path: join(screenshots, 'asked-picker.png') });
  await page.keyboard.press('Enter');
  await page.waitForTimeout(500);
  await page.keyboard.press('Escape');
  await save(page);
  assert.equal(code.read(name), `${CASES.asked}glide_over_water(speed)`);
}

/** The status page and the explanation say what they are about. */
async function pages(page) {
  await command(page, 'Lancefill: Explain This Position');
  await preview(page, 'Lancefill Explanation', 'dive');
  await page.waitForTimeout(DRAWN_MS);
  await page.screenshot({ path: join(screenshots, 'explanation.png') });
  await page.locator('.tab', { hasText: basename(code.path('pages')) }).click();
  await command(page, 'Lancefill: Show Status');
  await preview(page, 'Lancefill Status', basename(code.workspace));
}

/** The status item says which model runs, and why nothing came last. */
async function status(page) {
  await page.keyboard.type('speed ');
  await statusShows(
    page,
    /^ready · model: codefill\S* on cpu · No ghost text: not inside comments$/,
  );
}

/** Another model is picked: the server starts again with it, or says why it cannot. */
async function models(page) {
  for (const [name, said] of [
    ['mine', /codefill on cpu \(.+\)/], // it is an empty folder: the shipped one goes on
    ['shipped', /codefill on cpu$/],
  ]) {
    const [before] = code.processes('lsp_server');
    await command(page, 'Lancefill: Choose Model');
    await page.locator('.quick-input-list .monaco-list-row', { hasText: name }).waitFor();
    await page.screenshot({ path: join(screenshots, `model-picker-${name}.png`) });
    await page.locator('.quick-input-list .monaco-list-row', { hasText: name }).click();
    await until(page, 'the server was not restarted', () => {
      const [now] = code.processes('lsp_server');
      return now !== undefined && now !== before;
    });
    await statusShows(page, said);
  }
}

/** Ghost text that was asked for while the model was being loaded comes without another key. */
async function loading(page) {
  const held = () => (code.log().match(/no ghost: model-loading/g) ?? []).length;
  const [old] = code.processes(MODEL);
  process.kill(old, 'SIGKILL'); // it outlives servers; what starts it anew ends at once
  await command(page, 'Lancefill: Restart Language Server');
  let now;
  await until(page, 'no model was started', async () => {
    const seen = code.processes(MODEL).filter((pid) => pid !== old);
    await page.waitForTimeout(STARTER_MS); // what starts it has ended by then
    [now] = seen.filter((pid) => code.processes(MODEL).includes(pid));
    return now !== undefined;
  });
  process.kill(now, 'SIGSTOP');
  const before = held();
  await page.waitForTimeout(SERVER_START_MS);
  await page.keyboard.type(' ');
  await until(page, 'the model was not being loaded', () => held() > before);
  assert.equal(await ghostNow(page), '');
  process.kill(now, 'SIGCONT');
  await until(page, 'no ghost text came by itself', async () => (await ghostNow(page)) !== '');
}

/** Code of the repository, typed fast and unevenly: what is on the disk is what was typed. */
async function typing(page, name) {
  const source = readFileSync(join(code.workspace, TYPED), 'utf8').replaceAll('\r\n', '\n');
  const text = source.slice(source.indexOf('class '), source.indexOf('class ') + TYPED_LENGTH);
  let ghosts = 0;
  let before = false;
  for (const [index, letter] of [...text].entries()) {
    await page.keyboard.type(letter);
    await page.waitForTimeout(20 + ((index * 97) % 131)); // 20 to 150 ms, the same in every run
    const now = (await page.locator(GHOST).count()) > 0;
    ghosts += now && !before ? 1 : 0;
    before = now;
  }
  await page.keyboard.press('Escape');
  await save(page);
  figures.lettersTyped = text.length;
  figures.ghostTextsShownMeanwhile = ghosts;
  assert.equal(code.read(name), text);
}

/** A minute of code, with ghost text accepted whole and by word: nothing more, nothing less. */
async function long(page, name) {
  const typist = new Typist(page);
  const began = Date.now();
  const count = { whole: 0, word: 0 };
  for (const pieces of codeLines(readFileSync(join(code.workspace, TYPED), 'utf8'))) {
    const passed = Date.now() - began;
    const enough = typist.shown >= LONG_SHOWN && count.whole + count.word >= LONG_ACCEPTED;
    if (passed > LONG_LIMIT_MS || (passed > LONG_MS && enough)) {
      break;
    }
    await typeLine(typist, pieces, count);
  }
  figures.long = { seconds: Math.round((Date.now() - began) / 1000), ...count };
  figures.long.shown = typist.shown;
  figures.long.bytes = Buffer.byteLength(typist.written);
  await page.keyboard.press('Escape');
  await save(page);
  assert.equal(code.read(name), typist.written);
  assert.ok(typist.shown >= LONG_SHOWN, `only ${typist.shown} ghost texts were shown`);
  assert.ok(count.whole > 0 && count.word > 0, 'accepted neither whole nor by word');
  assert.ok(count.whole + count.word >= LONG_ACCEPTED, 'too few were accepted');
}

/** Types a line, looks up now and then, and takes most of the texts that come, in turns. */
async function typeLine(typist, pieces, count) {
  for (const [index, piece] of pieces.entries()) {
    await typist.letters(piece);
    const seen = index < pieces.length - 1 ? await typist.look() : '';
    if (seen !== '' && typist.random() < 0.6) {
      const how = count.word < count.whole && /^\S/.test(seen) ? 'word' : 'whole';
      count[how] += 1;
      await (how === 'word' ? typist.acceptWord(seen) : typist.accept(seen));
      break; // what was accepted may be other code than this line's: on to the next one
    }
  }
  await typist.line();
}

async function killed(page) {
  const victims = code.processes('lsp_server');
  assert.equal(victims.length, 1);
  victims.forEach((pid) => process.kill(pid, 'SIGKILL'));
  const at = Date.now();
  await page.waitForTimeout(1500);
  await page.keyboard.type('.');
  await shown(page, 'wade');
  figures.secondsFromKillToPopup = (Date.now() - at) / 1000;
}

// What is about Lancefill alone -----------------------------------------------------------------------

/** A model of this name, without weights: for the picker. */
function install(name) {
  const { LANCEFILL_DATA: data } = code.env;
  mkdirSync(join(data, name), { recursive: true });
  const models = { [name]: { folder: join(data, name), family: 'qwen2.5-coder' } };
  writeFileSync(join(data, 'models.json'), JSON.stringify({ format: 1, in_use: null, models }));
}

async function statusShows(page, pattern) {
  await until(page, `the status does not say: ${pattern}`, async () =>
    pattern.test(await statusItem(page)),
  );
}

await main();
console.log(JSON.stringify(figures));
process.exitCode = failed;
