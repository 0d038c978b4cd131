// How the server is started, and what its status says: plain values, no editor in sight.

import { homedir } from 'node:os';
import { join } from 'node:path';

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** Laid over the inherited environment; an undefined value removes the variable. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What the server sends as `didChangeStatus`, by the name that Copilot's server gave it. */
export interface ServerStatus {
  readonly kind: 'Normal' | 'Warning' | 'Error' | 'Inactive';
  readonly busy: boolean;
  readonly message: string;
}

/** What the server sends as `lancefill/reason` when a request ends with nothing. */
export interface Reason {
  readonly feature: 'popup' | 'ghost';
  readonly code: string;
  readonly message: string;
}

/**
 * The command that starts the server; the client adds `--stdio`.
 *
 * An inherited PYTHONPATH could put the workspace's own `completion/` before ours, so every PYTHON*
 * variable is taken away. VIRTUAL_ENV stays: the server finds the user's packages by it.
 */
export function serverCommand(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
): ServerCommand {
  const names = Object.keys(environment).filter((name) => name.toUpperCase().startsWith('PYTHON'));
  const removed = Object.fromEntries(names.map((name) => [name, undefined]));
  return {
    command: expanded(path.trim()) || 'lancefill',
    args: ['serve'],
    env: { ...removed, PYTHONUTF8: '1' },
  };
}

function expanded(path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
}

/** The text of the status item; codicon names in `$(…)` are drawn by VS Code. */
export function statusText(status: ServerStatus): string {
  if (status.busy) {
    return '$(sync~spin) Lancefill';
  }
  const icons = {
    Normal: '$(check)',
    Warning: '$(warning)',
    Error: '$(error)',
    Inactive: '$(circle-slash)',
  };
  return `${icons[status.kind]} Lancefill`;
}

/** A reason as the status item shows it, or undefined for those that are the way of typing. */
export function reasonText(reason: Reason): string | undefined {
  if (reason.code === 'superseded' || reason.code === 'cancelled') {
    return undefined;
  }
  const feature = { popup: 'No popup', ghost: 'No ghost text' }[reason.feature];
  return `${feature}: ${reason.message}`;
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
