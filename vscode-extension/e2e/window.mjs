// A real VS Code in Chromium: installs the VSIX, opens a repository, types, and looks at the screen.
//
//   node window.mjs TOOLS REPOSITORY LANCEFILL VSIX SCREENSHOTS
//
// Each case works on a file of its own; what counts as truth is what lies on the disk after saving.
// Prints one line per case and figures as JSON; the exit status is the number of cases that failed.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';

const [tools, repository, lancefill, vsix, screenshots] = process.argv
  .slice(2)
  .map((p) => resolve(p));
const { chromium } = createRequire(join(tools, 'server', 'package.json'))('playwright-core');
const PORT = 8300 + (process.pid % 500);
const ROW = '.suggest-widget.visible .monaco-list-row';
const GHOST = '.ghost-text-decoration, .ghost-text-decoration-preview';
const PATIENCE_MS = 20_000;
const TYPED = 'httpx/_models.py'; // within the repository
const TYPED_LENGTH = 600;
const BROWSER = (
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync ' +
  '--disable-background-networking --disable-component-update'
).split(' ');

const home = mkdtempSync(join(tmpdir(), 'lancefill-window-'));
const workspace = join(home, basename(repository));
const data = join(home, 'data');

const SETTINGS = {
  'lancefill.path': lancefill,
  'lancefill.maxLatencyMs': 5000,
  'lancefill.minConfidence': 0,
  'lancefill.popupDeadlineMs': 500,
  'workbench.startupEditor': 'none',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'workbench.tips.enabled': false,
  'workbench.enableExperiments': false,
  'extensions.autoUpdate': 'off',
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'git.enabled': false,
  'window.commandCenter': false,
  'editor.minimap.enabled': false,
  'editor.accessibilitySupport': 'off',
  'editor.wordBasedSuggestions': 'off',
  'editor.snippetSuggestions': 'none',
  'editor.suggest.localityBonus': false,
  'editor.suggestSelection': 'first',
  'editor.acceptSuggestionOnEnter': 'off',
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.inlineSuggest.enabled': true,
  'editor.autoClosingBrackets': 'never',
  'editor.autoClosingQuotes': 'never',
  'editor.autoIndent': 'none',
  'files.autoSave': 'off',
};

/** A file of the workspace for one case, with the cursor at its end. */
const CASES = {
  popup:
    'class Pelican:\n    def glide(self): ...\n    def land(self): ...\n    def _rest(self): ...\n\nbird = Pelican()\nbird',
  ghost:
    'class Point:\n    def __init__(self, left, top):\n        self.left = left\n        self.top =',
  word: 'class Point:\n    def __init__(self, left, top):\n        self.left = left\n        self.top =',
  asked: 'def glide_over_water(speed):\n    """Glide low over the water."""\n\n\n',
  pages: 'class Grebe:\n    def dive(self): ...\n\ngrebe = Grebe()\ngrebe.',
  typing: '',
  killed: 'class Heron:\n    def wade(self): ...\n\nheron = Heron()\nheron',
};

let failed = 0;
const figures = {};

async function main() {
  cpSync(repository, workspace, { recursive: true });
  for (const [name, text] of Object.entries(CASES)) {
    writeFileSync(path(name), text);
  }
  mkdirSync(screenshots, { recursive: true });
  // The editor's own settings now and then come too late for the extension; the machine's do not.
  for (const level of ['User', 'Machine']) {
    mkdirSync(join(data, level), { recursive: true });
    writeFileSync(join(data, level, 'settings.json'), JSON.stringify(SETTINGS));
  }
  writeFileSync(join(home, 'cfg.yaml'), `bind-addr: 127.0.0.1:${PORT}\nauth: none\ncert: false\n`);
  const options = ['--config', join(home, 'cfg.yaml'), '--user-data-dir', data];
  options.push('--extensions-dir', join(home, 'extensions'));
  const env = {
    ...process.env,
    XDG_DATA_HOME: join(home, 'xdg'),
    XDG_CACHE_HOME: join(home, 'cache'),
  };
  const node = join(tools, 'node', 'node');
  const entry = join(tools, 'server', 'node_modules', 'code-server', 'out', 'node', 'entry.js');
  execFileSync(node, [entry, ...options, '--install-extension', vsix], { env, stdio: 'pipe' });
  const flags = ['--disable-telemetry', '--disable-update-check', '--disable-workspace-trust'];
  flags.push('--disable-getting-started-override', '--reconnection-grace-time', '5');
  const server = spawn(node, [entry, ...options, ...flags, workspace], { env, stdio: 'pipe' });
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: BROWSER });
  try {
    await healthy();
    const page = await browser.newPage({ viewport: { width: 1200, height: 700 } });
    await once('popup', page, popup);
    await once('ghost', page, ghost);
    await once('word', page, word);
    await once('asked', page, asked);
    await once('pages', page, pages);
    await once('typing', page, typing);
    await once('killed', page, killed);
    await page.goto('about:blank');
  } finally {
    await browser.close();
    server.kill();
    cpSync(join(data, 'logs'), join(screenshots, 'logs'), { recursive: true });
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function once(name, page, body) {
  try {
    await open(page, name);
    await body(page, path(name));
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error.message}`);
  }
  await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

// Cases ---------------------------------------------------------------------------------------------

async function popup(page, file) {
  const activated = Date.now();
  await page.keyboard.type('.');
  await shown(page, 'glide');
  figures.secondsToFirstPopup = (Date.now() - activated) / 1000;
  const seen = await labels(page);
  await page.screenshot({ path: join(screenshots, 'popup-open.png') });
  await page.keyboard.press('Escape');
  await save(page);
  const position = `${file}:7:6`;
  const args = ['complete', position, '--no-ghost', '--json', '--root', workspace];
  const told = JSON.parse(execFileSync(lancefill, args, { encoding: 'utf8' }));
  const expected = told.popup.items.map((item) => item.label);
  // Behind the class's own names come those of every object: from jedi, which may be late.
  assert.deepEqual(seen.slice(0, 3), ['glide', 'land', '_rest']);
  assert.deepEqual(seen.slice(0, 3), expected.slice(0, 3), 'the popup is in another order');
}

async function ghost(page, file) {
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
  assert.equal(read(file), `${CASES.ghost} ${first}`, 'Tab takes all of it, and nothing else');
}

async function word(page, file) {
  await page.keyboard.type(' ');
  const all = await ghostText(page);
  await page.keyboard.press('Control+ArrowRight');
  await page.waitForTimeout(200);
  await page.keyboard.press('Escape');
  await save(page);
  const taken = read(file).slice(CASES.word.length + 1);
  assert.ok(taken.length > 0 && all.startsWith(taken), `"${taken}" of "${all}"`);
}

/** A request in plain words: the picker, and the call that it inserts. */
async function asked(page, file) {
  await command(page, 'Lancefill: Ask for an API');
  await page.locator('.quick-input-widget input').fill('glide low over the water');
  await page.keyboard.press('Enter');
  await page.locator('.quick-input-list .monaco-list-row').first().waitFor();
  await page.screenshot({ path: join(screenshots, 'asked-picker.png') });
  await page.keyboard.press('Enter');
  await page.waitForTimeout(500);
  await page.keyboard.press('Escape');
  await save(page);
  assert.equal(read(file), `${CASES.asked}glide_over_water(speed)`);
}

/** The status page and the explanation say what they are about. */
async function pages(page) {
  await command(page, 'Lancefill: Explain This Position');
  await preview(page, 'Lancefill Explanation', 'dive');
  await page.screenshot({ path: join(screenshots, 'explanation.png') });
  await page.locator('.tab', { hasText: basename(path('pages')) }).click();
  await command(page, 'Lancefill: Show Status');
  await preview(page, 'Lancefill Status', basename(workspace));
}

/** Code of the repository, typed fast and unevenly: what is on the disk is what was typed. */
async function typing(page, file) {
  const source = readFileSync(join(workspace, TYPED), 'utf8').replaceAll('\r\n', '\n');
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
  assert.equal(read(file), text);
}

async function killed(page) {
  ours('lsp_server').forEach((pid) => process.kill(pid, 'SIGKILL'));
  const at = Date.now();
  await page.waitForTimeout(1500);
  await page.keyboard.type('.');
  await shown(page, 'wade');
  figures.secondsFromKillToPopup = (Date.now() - at) / 1000;
}

// What a person sees and does -----------------------------------------------------------------------

async function open(page, name) {
  const file = `vscode-remote://127.0.0.1:${PORT}${path(name)}:99:99`;
  const payload = encodeURIComponent(
    JSON.stringify([
      ['openFile', file],
      ['gotoLineMode', 'true'],
    ]),
  );
  await page.goto(`http://127.0.0.1:${PORT}/?folder=${workspace}&payload=${payload}`);
  await page.locator(`.tab.active[data-resource-name="${basename(path(name))}"]`).waitFor();
  await page.locator('.part.statusbar').waitFor();
  await page.waitForTimeout(6000); // the server's start; typing right at it loses the first popup
  await page.keyboard.press('Control+End');
}

async function labels(page) {
  const rows = await page
    .locator(ROW)
    .evaluateAll((all) =>
      all
        .map((row) => [Number(row.dataset.index), row.querySelector('.label-name').textContent])
        .sort(([a], [b]) => a - b),
    );
  return rows.map(([, label]) => label);
}

/** Wait for a popup with the label, asking by hand where none comes by itself. */
async function shown(page, label) {
  const until = Date.now() + PATIENCE_MS;
  while (Date.now() < until) {
    if ((await labels(page)).includes(label)) {
      return;
    }
    await page.keyboard.press('Control+Space');
    await page.waitForTimeout(400);
  }
  throw new Error(`no popup with ${label}: ${await labels(page)}`);
}

/** The ghost text behind a blank; while the model is being loaded the blank is typed again. */
async function ghostText(page) {
  const until = Date.now() + PATIENCE_MS;
  while ((await page.locator(GHOST).count()) === 0) {
    assert.ok(Date.now() < until, 'no ghost text');
    await page.waitForTimeout(1500);
    if ((await page.locator(GHOST).count()) === 0) {
      await page.keyboard.press('Backspace');
      await page.keyboard.type(' ');
    }
  }
  const parts = await page.locator(GHOST).allTextContents();
  return parts.join('').replaceAll('\u00a0', ' ');
}

async function gone(page, selector) {
  await page.locator(selector).first().waitFor({ state: 'detached', timeout: PATIENCE_MS });
}

/** Wait for a rendered page of this title that holds a text. */
async function preview(page, title, text) {
  await page.locator('.tab.active', { hasText: title }).waitFor();
  const until = Date.now() + PATIENCE_MS;
  const shows = async (frame) => (await frame.locator('body').innerText()).includes(text);
  for (;;) {
    for (const frame of page.frames().slice(1)) {
      if (await shows(frame).catch(() => false)) {
        return;
      }
    }
    assert.ok(Date.now() < until, `${title} does not show ${text}`);
    await page.waitForTimeout(200);
  }
}

async function command(page, title) {
  await page.keyboard.press('F1');
  await page.locator('.quick-input-widget input').fill(`>${title}`);
  await page.locator(`.quick-input-list .monaco-list-row[aria-label^="${title}"]`).first().click();
}

/** The process ids of this run's processes with a word on their command line. */
function ours(word) {
  return readdirSync('/proc').filter((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
      return (
        environment.includes(home) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word)
      );
    } catch {
      return false; // no process, or one that just ended
    }
  });
}

async function save(page) {
  await page.keyboard.press('Control+s');
  await page.locator('.tab.active:not(.dirty)').waitFor();
}

async function healthy() {
  for (let tries = 0; tries < 100; tries += 1) {
    try {
      if ((await fetch(`http://127.0.0.1:${PORT}/healthz`)).ok) {
        return;
      }
    } catch {
      // not up yet
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('code-server did not start');
}

function path(name) {
  return join(workspace, `window_${name}.py`);
}

function read(file) {
  return readFileSync(file, 'utf8');
}

await main();
console.log(JSON.stringify(figures));
process.exitCode = failed;
