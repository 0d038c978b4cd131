import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { coalesced, findServer, logEntry, serverCommand, shellLine, startProblem } from '../server';

describe('serverCommand', () => {
  it('starts what it is given', () => {
    const { command, args } = serverCommand('/opt/my tools/lancefill', {});
    assert.equal(command, '/opt/my tools/lancefill');
    assert.deepEqual(args, ['serve']);
  });

  it('takes away what could put foreign modules before ours, and keeps the rest', () => {
    const { env } = serverCommand('', {
      PYTHONPATH: '/workspace',
      PythonHome: '/elsewhere',
      VIRTUAL_ENV: '/workspace/.venv',
      HOME: '/home/somebody',
    });
    assert.deepEqual(env, {
      PYTHONPATH: undefined,
      PythonHome: undefined,
      PYTHONUTF8: '1',
      VIRTUAL_ENV: '/workspace/.venv',
      HOME: '/home/somebody',
    });
  });
});

describe('findServer', () => {
  const nowhere = { setting: '', path: '/usr/bin:/opt/bin', installed: undefined };
  const only = (file: string) => (asked: string) => asked === file;

  it('takes the executable that is set, spaces around it forgiven', () => {
    const set = { ...nowhere, setting: ' /opt/my tools/lancefill ', installed: '/own/lancefill' };
    assert.deepEqual(
      findServer(set, () => true),
      { command: '/opt/my tools/lancefill' },
    );
    const home = join(homedir(), 'bin/lancefill');
    assert.deepEqual(findServer({ ...nowhere, setting: '~/bin/lancefill' }, only(home)), {
      command: home,
    });
  });

  it('takes no other where the one that is set is missing', () => {
    const set = { ...nowhere, setting: '/gone/lancefill', installed: '/own/lancefill' };
    const found = findServer(set, only('/own/lancefill'));
    assert.match(
      'problem' in found ? found.problem : '',
      /lancefill\.path names \/gone\/lancefill/,
    );
  });

  it('takes the one on PATH before its own', () => {
    const places = { ...nowhere, installed: '/own/lancefill' };
    assert.deepEqual(
      findServer(places, () => true),
      { command: '/usr/bin/lancefill' },
    );
    assert.deepEqual(findServer(places, only('/own/lancefill')), { command: '/own/lancefill' });
  });

  it('does not look into the current folder', () => {
    const found = findServer({ ...nowhere, path: '.:bin:' }, () => true);
    assert.ok('problem' in found);
  });

  it('looks for a set name on PATH, and leaves a relative path to the system', () => {
    const named = { ...nowhere, setting: 'lancefill-dev' };
    assert.deepEqual(findServer(named, only('/opt/bin/lancefill-dev')), {
      command: '/opt/bin/lancefill-dev',
    });
    const relative = { ...nowhere, setting: './.venv/bin/lancefill' };
    assert.deepEqual(
      findServer(relative, () => false),
      { command: './.venv/bin/lancefill' },
    );
  });
});

describe('startProblem', () => {
  const of = (error: string, ...said: string[]): string =>
    startProblem('/opt/lancefill', error, said);

  it("passes on the server's own words", () => {
    const words = "Lancefill cannot start: No module named 'pygls'. Install Lancefill again.";
    assert.equal(of('Error: disposed', 'noise', words, 'more noise'), words);
  });

  it('says what to do about each known cause', () => {
    assert.match(of('Error: spawn /opt/lancefill ENOENT'), /Python .* is gone; install it again/);
    assert.match(of('Error: spawn /opt/lancefill EACCES'), /may not be run; check its permissions/);
    const traceback = ['Traceback (most recent call last):', "ModuleNotFoundError: No module 'x'"];
    assert.match(of('Error: disposed', ...traceback), /not whole; install it again/);
    assert.match(of('', 'OSError: [Errno 28] No space left on device'), /full; make room/);
  });

  it('passes on the last line of what it does not know', () => {
    assert.match(of('Error: disposed', 'one', 'two', ''), /as \/opt\/lancefill: two\. "lancefill/);
    assert.match(of('Error: disposed'), /Error: disposed\. "lancefill doctor"/);
  });
});

describe('shellLine', () => {
  it('quotes every word', () => {
    assert.equal(shellLine(["/it's/lancefill", 'doctor']), "'/it'\\''s/lancefill' 'doctor'");
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
