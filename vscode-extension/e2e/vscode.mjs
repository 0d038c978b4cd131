// A VS Code of its own: code-server on a copy of a repository, with a home that goes when it ends.

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
import { basename, join } from 'node:path';

const FIRST_PORT = 8300 + (process.pid % 500);
/** On the command line of the model process. */
export const MODEL = 'completion.model.shared';
/** Typing right at the server's start loses the first popup. */
export const SERVER_START_MS = 6000;
const BROWSER = (
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync ' +
  '--disable-background-networking --disable-component-update'
).split(' ');

/** Settings under which nothing but Lancefill suggests, and nothing but keys writes. */
const QUIET = {
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
  'editor.inlineSuggest.enabled': true,
  'editor.autoClosingBrackets': 'never',
  'editor.autoClosingQuotes': 'never',
  'editor.autoIndent': 'none',
  'files.autoSave': 'off',
};

let started = 0;

/** Chromium, as the tools' playwright drives it. */
export async function openBrowser(tools) {
  const { chromium } = createRequire(join(tools, 'server', 'package.json'))('playwright-core');
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: BROWSER });
}

export class VSCode {
  /** Starts one; `vsix` undefined: without an extension. `settings` are laid over the quiet ones. */
  static async start({ tools, repository, vsix, settings }) {
    const code = new VSCode(tools, repository);
    try {
      cpSync(repository, code.workspace, { recursive: true });
      code.#configure({ ...QUIET, ...settings });
      code.#run(vsix);
      await code.#healthy();
    } catch (error) {
      await code.stop();
      throw error;
    }
    return code;
  }

  constructor(tools, repository) {
    this.home = mkdtempSync(join(tmpdir(), 'lancefill-window-'));
    this.workspace = join(this.home, basename(repository));
    this.data = join(this.home, 'data');
    this.port = FIRST_PORT + started++;
    this.node = join(tools, 'node', 'node');
    this.entry = join(tools, 'server', 'node_modules/code-server/out/node/entry.js');
    this.runtime = join(this.home, 'run');
    mkdirSync(this.runtime, { mode: 0o700 });
    this.env = {
      ...process.env,
      XDG_DATA_HOME: join(this.home, 'xdg'),
      XDG_CACHE_HOME: join(this.home, 'cache'),
      XDG_RUNTIME_DIR: this.runtime, // where a model process of its own is met
      LANCEFILL_DATA: join(this.home, 'lancefill'),
    };
  }

  /** The place of a case's own file. */
  path(name) {
    return join(this.workspace, `window_${name}.py`);
  }

  write(name, text) {
    writeFileSync(this.path(name), text);
  }

  read(name) {
    return readFileSync(this.path(name), 'utf8');
  }

  /** Shows a case's file, with the cursor at its end, once the editor is there. */
  async show(page, name) {
    const file = `vscode-remote://127.0.0.1:${this.port}${this.path(name)}:99:99`;
    const payload = encodeURIComponent(
      JSON.stringify([
        ['openFile', file],
        ['gotoLineMode', 'true'],
      ]),
    );
    await page.goto(`http://127.0.0.1:${this.port}/?folder=${this.workspace}&payload=${payload}`);
    await page.locator(`.tab.active[data-resource-name="${basename(this.path(name))}"]`).waitFor();
    await page.locator('.part.statusbar').waitFor();
  }

  /** The same, once the language server is there too. */
  async open(page, name) {
    await this.show(page, name);
    await page.waitForTimeout(SERVER_START_MS);
    await page.keyboard.press('Control+End');
  }

  /** The ids of this one's processes with a word on their command line. */
  processes(word) {
    return readdirSync('/proc').filter((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return environment.includes(this.home) && line.includes(word);
      } catch {
        return false; // no process, or one that just ended
      }
    });
  }

  /** The extension's log, those of earlier windows first. */
  log() {
    const folder = join(this.data, 'logs');
    return readdirSync(folder, { recursive: true })
      .filter((name) => name.endsWith('/Lancefill.log'))
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .sort()
      .join('');
  }

  /** Ends the processes with a word on their command line at once. */
  kill(word) {
    for (const pid of this.processes(word)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it ended by itself
      }
    }
  }

  /** Ends it, and whatever it started; its logs are kept in `folder`, where one is named. */
  async stop(folder) {
    this.server?.kill();
    this.kill(MODEL); // it outlives editors
    for (let tries = 0; tries < 50 && this.processes('').length > 0; tries += 1) {
      await pause(200);
    }
    this.kill('');
    if (folder !== undefined) {
      cpSync(join(this.data, 'logs'), folder, { recursive: true });
    }
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  #configure(settings) {
    // The editor's own settings now and then come too late for the extension; the machine's do not.
    for (const level of ['User', 'Machine']) {
      mkdirSync(join(this.data, level), { recursive: true });
      writeFileSync(join(this.data, level, 'settings.json'), JSON.stringify(settings));
    }
    const config = `bind-addr: 127.0.0.1:${this.port}\nauth: none\ncert: false\n`;
    writeFileSync(join(this.home, 'cfg.yaml'), config);
  }

  #run(vsix) {
    const options = ['--config', join(this.home, 'cfg.yaml'), '--user-data-dir', this.data];
    options.push('--extensions-dir', join(this.home, 'extensions'));
    const started = { env: this.env, stdio: 'pipe' };
    if (vsix !== undefined) {
      const install = [this.entry, ...options, '--install-extension', vsix];
      execFileSync(this.node, install, started);
    }
    const flags = ['--disable-telemetry', '--disable-update-check', '--disable-workspace-trust'];
    flags.push('--disable-getting-started-override', '--reconnection-grace-time', '5');
    this.server = spawn(this.node, [this.entry, ...options, ...flags, this.workspace], started);
  }

  async #healthy() {
    for (let tries = 0; tries < 100; tries += 1) {
      try {
        if ((await fetch(`http://127.0.0.1:${this.port}/healthz`)).ok) {
          return;
        }
      } catch {
        // not up yet
      }
      await pause(200);
    }
    throw new Error('code-server did not start');
  }
}

function pause(duration) {
  return new Promise((resolve) => setTimeout(resolve, duration));
}
