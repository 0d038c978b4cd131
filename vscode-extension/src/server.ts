// How the server is started, and what its log says: plain values, no editor in sight.

import { homedir } from 'node:os';
import { delimiter, isAbsolute, join, sep } from 'node:path';

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** All of it: the client gives an executable this and nothing that is inherited. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The command that starts the server; the client adds `--stdio`. */
export function serverCommand(
  command: string,
  environment: Readonly<Record<string, string | undefined>>,
): ServerCommand {
  return { command, args: ['serve'], env: { ...environment, ...forPython(environment) } };
}

/** What is laid over an environment in which Lancefill or pip is run. */
export function forPython(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  return { ...withoutPython(environment), PYTHONUTF8: '1' };
}

/**
 * What takes every PYTHON* variable out of an environment that it is laid over.
 *
 * An inherited PYTHONPATH could put the workspace's own `completion/` before ours. VIRTUAL_ENV
 * stays: the server finds the user's packages by it.
 */
export function withoutPython(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, undefined>> {
  const names = Object.keys(environment).filter((name) => name.toUpperCase().startsWith('PYTHON'));
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

/** Where a server may be: the setting, the PATH, and what the extension installed by itself. */
export interface Places {
  readonly setting: string;
  readonly path: string | undefined;
  readonly installed: string | undefined;
}

/** The server's executable, or what to tell the person when there is none. */
export type Found = { readonly command: string } | { readonly problem: string };

/** The executable that is set; else the one on PATH; else the extension's own. */
export function findServer(places: Places, runnable: (file: string) => boolean): Found {
  const setting = expanded(places.setting.trim());
  if (setting !== '') {
    const named = setting.includes(sep) ? setting : onPath(setting, places.path, runnable);
    // A path relative to the workspace is left to the system: only it knows from where.
    if (named !== undefined && (!isAbsolute(named) || runnable(named))) {
      return { command: named };
    }
    return { problem: `lancefill.path names ${setting}, and there is no such program.` };
  }
  const command = onPath('lancefill', places.path, runnable) ?? places.installed;
  if (command !== undefined && runnable(command)) {
    return { command };
  }
  return { problem: 'The Lancefill server is not installed: there is no lancefill on PATH.' };
}

/** The first program of a name on PATH; entries that depend on the current folder do not count. */
export function onPath(
  name: string,
  path: string | undefined,
  runnable: (file: string) => boolean,
): string | undefined {
  const folders = (path ?? '').split(delimiter).filter(isAbsolute);
  return folders.map((folder) => join(folder, name)).find(runnable);
}

function expanded(path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
}

/** What to tell of a server that did not start, by the error and the last lines that it wrote. */
export function startProblem(command: string, error: string, said: readonly string[]): string {
  const told = said.find((line) => line.startsWith('Lancefill cannot start: '));
  if (told !== undefined) {
    return told;
  }
  const known = CAUSES.find(({ sign }) => sign.test([error, ...said].join('\n')));
  if (known !== undefined) {
    return `The server could not be started as ${command}: ${known.remedy}`;
  }
  const last = said.filter((line) => line.trim() !== '').at(-1);
  return `The server could not be started as ${command}: ${last ?? error}. "lancefill doctor" in a terminal says more.`;
}

const REINSTALL = 'install it again ("Lancefill: Install the Server…").';
const CAUSES: readonly { readonly sign: RegExp; readonly remedy: string }[] = [
  {
    sign: /ENOENT|bad interpreter/,
    remedy: `the program or the Python that it was installed with is gone; ${REINSTALL}`,
  },
  { sign: /EACCES|EPERM/, remedy: 'it may not be run; check its permissions and lancefill.path.' },
  {
    sign: /ModuleNotFoundError|ImportError/,
    remedy: `its installation is not whole; ${REINSTALL}`,
  },
  { sign: /ENOSPC|No space left/, remedy: 'the disk is full; make room, then restart the server.' },
];

/** A command line for a POSIX shell, each word quoted. */
export function shellLine(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}

export interface LogEntry {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly text: string;
}

/**
 * A line of the server's log, without its time, which the output channel adds by itself.
 *
 * A line that no logger wrote belongs to a traceback.
 */
export function logEntry(line: string): LogEntry {
  const [, name = '', text = ''] = /^[-\d]+ [:,\d]+ ([A-Z]+) (.*)$/.exec(line) ?? [];
  const level = LEVELS[name];
  return level === undefined ? { level: 'error', text: line } : { level, text };
}

const LEVELS: Readonly<Record<string, LogEntry['level']>> = {
  CRITICAL: 'error',
  ERROR: 'error',
  WARNING: 'warn',
  INFO: 'info',
  DEBUG: 'debug',
};

/**
 * Runs one action at a time; calls that arrive meanwhile share one run after it.
 *
 * A settings change comes as a burst of events, and each asks for a restart.
 */
export function coalesced(action: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const start = (): Promise<void> => {
    const run = action().finally(() => {
      running = undefined;
    });
    running = run;
    return run;
  };
  return () => {
    if (running === undefined) {
      return start();
    }
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return start();
      });
    return next;
  };
}
