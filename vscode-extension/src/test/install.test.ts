import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

import {
  diagnosis,
  findPython,
  install,
  InstallError,
  pipArguments,
  progressText,
  sourceIn,
  type Runner,
} from '../install';
import { run, type Ran } from '../run';

const ABSENT: Ran = { status: null, output: '', errno: 'ENOENT' };
const GOOD: Ran = { status: 0, output: 'Python 3 12' };

/** A machine where only these Pythons are. */
function machine(pythons: Readonly<Record<string, Ran>>): Runner {
  return (command) => Promise.resolve(pythons[command] ?? ABSENT);
}

function saying(pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof InstallError && pattern.test(error.message);
}

describe('findPython', () => {
  it('takes the first that is good enough', async () => {
    const old = { status: 0, output: 'Python 3 9' };
    assert.equal(await findPython(machine({ python3: old, 'python3.12': GOOD })), 'python3.12');
  });

  it('says that there is none, that it is too old, or that it lacks venv', async () => {
    const broken = {
      status: 1,
      output: "Python 3 11\nModuleNotFoundError: No module named 'ensurepip'",
    };
    await assert.rejects(
      findPython(machine({})),
      saying(/There is no Python\. Install Python 3\.11/),
    );
    await assert.rejects(
      findPython(machine({ python3: { status: 0, output: 'Python 3 10' } })),
      saying(/too old: python3 is 3\.10, and 3\.11 is needed/),
    );
    await assert.rejects(
      findPython(machine({ 'python3.11': broken })),
      saying(/apt install python3\.11-venv/),
    );
  });

  it('understands the Pythons of this machine', async () => {
    const problem = await findPython(run).catch((error: unknown) => error);
    assert.ok(typeof problem === 'string' || problem instanceof InstallError);
  });
});

describe('install', () => {
  let storage = '';

  beforeEach(async () => {
    storage = await mkdtemp(join(tmpdir(), 'lancefill-'));
  });
  afterEach(() => rm(storage, { recursive: true }));

  it('makes the environment, installs into it and returns the executable', async () => {
    const folder = join(storage, 'server-1');
    const commands: string[] = [];
    const recording: Runner = (command, args) => {
      commands.push([command, ...args].join(' '));
      return Promise.resolve(GOOD);
    };
    assert.equal(
      await install({ folder, source: '/w.whl' }, recording),
      join(folder, 'bin/lancefill'),
    );
    assert.match(commands[1] ?? '', /^python3 -m venv .*server-1$/);
    assert.match(commands[2] ?? '', /server-1\/bin\/python -m pip install .*\/w\.whl$/);
  });

  it('leaves nothing of an environment that failed', async () => {
    const folder = join(storage, 'server-1');
    const full: Runner = (_, args) =>
      Promise.resolve(
        args.includes('pip') ? { status: 1, output: '[Errno 28] No space left on device' } : GOOD,
      );
    await assert.rejects(install({ folder, source: '/w.whl' }, full), saying(/disk is full/));
    assert.equal(existsSync(folder), false);
  });

  it('says so when the folder cannot be made', async () => {
    const file = join(storage, 'file');
    await writeFile(file, '');
    const plan = { folder: join(file, 'server-1'), source: '/w.whl' };
    await assert.rejects(install(plan, machine({ python3: GOOD })), saying(/ENOTDIR/));
  });
});

describe('pipArguments', () => {
  it('adds another package index and tested versions only where they are given', () => {
    const plan = { folder: '/e', source: '/w.whl' };
    assert.ok(!pipArguments(plan).some((each) => /^--(extra|constraint)/.test(each)));
    const args = pipArguments({ ...plan, constraints: '/c.txt', extraIndex: 'file:///cpu' });
    assert.match(
      args.join(' '),
      /--constraint \/c\.txt --extra-index-url file:\/\/\/cpu \/w\.whl$/,
    );
  });
});

describe('diagnosis', () => {
  const of = (output: string): string => diagnosis({ status: 1, output });

  it('says what to do about each known cause', () => {
    assert.match(of('PermissionError: [Errno 13] Permission denied'), /no permission/);
    assert.match(of('OSError: [Errno 122] Disk quota exceeded'), /disk is full/);
    assert.match(
      of('The virtual environment ... ensurepip is not available.'),
      /venv module is missing/,
    );
    assert.match(of('Temporary failure in name resolution'), /could not be reached/);
    assert.match(diagnosis({ status: null, output: '', errno: 'EACCES' }), /no permission/);
  });

  it('names the package that was not found, and the network before it', () => {
    const absent = 'ERROR: No matching distribution found for torch>=2.7';
    assert.match(of(absent), /package torch>=2\.7 was not found/);
    assert.match(of(`NewConnectionError\n${absent}`), /could not be reached/);
  });

  it('passes on the last line of what it does not know', () => {
    assert.match(of('one\nERROR: two.\n'), /^ERROR: two\. The log/);
    assert.match(of(''), /without a message/);
  });
});

describe('progressText', () => {
  it('says what is being fetched', () => {
    assert.equal(progressText('Collecting torch>=2.7'), 'fetching torch');
    assert.equal(progressText('  Downloading numpy-2.3.0-cp311.whl (16 MB)'), 'fetching numpy');
    assert.equal(progressText('Requirement already satisfied'), undefined);
  });
});

describe('sourceIn', () => {
  it('prefers the newest wheel, then sources', () => {
    const wheels = ['lancefill-0.9.0-py3-none-any.whl', 'lancefill-0.10.0-py3-none-any.whl'];
    assert.equal(sourceIn('/f', [...wheels, 'pyproject.toml']), `/f/${wheels[1] ?? ''}`);
    assert.equal(sourceIn('/f', ['pyproject.toml']), '/f');
    assert.equal(sourceIn('/f', ['torch-2.7.0.whl']), undefined);
  });
});

describe('run', () => {
  it('hears both streams and returns the status', async () => {
    const heard: string[] = [];
    const script = 'console.log("out"); console.error("err"); process.exitCode = 3';
    const ran = await run(process.execPath, ['-e', script], { heard: (line) => heard.push(line) });
    assert.equal(ran.status, 3);
    assert.deepEqual([...heard].sort(), ['err', 'out']);
  });

  it('answers for what is not there', async () => {
    assert.deepEqual(await run('/nowhere/python', []), ABSENT);
  });

  it('ends with its signal', async () => {
    const abort = new AbortController();
    const running = run(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], abort);
    abort.abort();
    assert.equal((await running).status, null);
  });
});
