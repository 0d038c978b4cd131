import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { coalesced, logEntry, reasonText, serverCommand, statusText } from '../server';

describe('serverCommand', () => {
  it('starts the executable on PATH when no path is set', () => {
    const { command, args } = serverCommand('', {});
    assert.equal(command, 'lancefill');
    assert.deepEqual(args, ['serve']);
  });

  it('starts the executable that is set, spaces around it forgiven', () => {
    assert.equal(serverCommand(' /opt/my tools/lancefill ', {}).command, '/opt/my tools/lancefill');
    assert.equal(serverCommand('~/bin/lancefill', {}).command, join(homedir(), 'bin/lancefill'));
  });

  it('takes away what could put foreign modules before ours, and keeps the rest', () => {
    const { env } = serverCommand('', {
      PYTHONPATH: '/workspace',
      PythonHome: '/elsewhere',
      VIRTUAL_ENV: '/workspace/.venv',
    });
    assert.deepEqual(env, { PYTHONPATH: undefined, PythonHome: undefined, PYTHONUTF8: '1' });
  });
});

describe('statusText', () => {
  it('shows that the server is busy before anything else', () => {
    assert.match(statusText({ kind: 'Warning', busy: true, message: 'indexing' }), /sync~spin/);
    assert.match(statusText({ kind: 'Warning', busy: false, message: 'no model' }), /warning/);
  });
});

describe('reasonText', () => {
  it('says why there is no suggestion', () => {
    const message = 'the model is 21 % sure';
    assert.equal(
      reasonText({ feature: 'ghost', code: 'low-confidence', message }),
      'No ghost text: the model is 21 % sure',
    );
  });

  it('says nothing about what happens at every keystroke', () => {
    assert.equal(reasonText({ feature: 'popup', code: 'superseded', message: '' }), undefined);
  });
});

describe('logEntry', () => {
  it('takes the level from the line', () => {
    const line = '2026-11-23 14:23:29,044 WARNING lsp_server.processes: jedi ended (1)';
    assert.deepEqual(logEntry(line), {
      level: 'warn',
      text: 'lsp_server.processes: jedi ended (1)',
    });
  });

  it('takes what no logger wrote for an error', () => {
    const line = '  File "server.py", line 27, in main';
    assert.deepEqual(logEntry(line), { level: 'error', text: line });
    assert.equal(logEntry('2026-11-23 14:23:29,044 NOTICE x: y').level, 'error');
  });
});

describe('coalesced', () => {
  it('runs one action at a time, and once more for all that came meanwhile', async () => {
    const releases: (() => void)[] = [];
    let running = 0;
    let most = 0;
    const run = coalesced(async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => releases.push(resolve));
      running -= 1;
    });

    const first = run();
    const burst = [run(), run(), run()];
    releases[0]?.();
    await first;
    await new Promise(setImmediate);
    releases[1]?.();
    await Promise.all(burst);

    assert.equal(releases.length, 2);
    assert.equal(most, 1);
  });

  it('runs again after a failure', async () => {
    let runs = 0;
    const run = coalesced(() => {
      runs += 1;
      return runs === 1 ? Promise.reject(new Error('did not start')) : Promise.resolve();
    });
    await assert.rejects(run());
    await run();
    assert.equal(runs, 2);
  });
});
