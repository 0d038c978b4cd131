// Makes a Python environment with the server in it: the steps, and what to say when one fails.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { Ran, RunOptions } from './run';

/** The oldest Python that the server runs on, as in its own pyproject.toml. */
const OLDEST = [3, 11] as const;

/** Asked in this order; the first that is good enough is taken. */
export const PYTHONS = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python'] as const;

const PROBE = 'import sys; print("Python", *sys.version_info[:2]); import venv, ensurepip';

export type Runner = (
  command: string,
  args: readonly string[],
  options?: RunOptions,
) => Promise<Ran>;

export interface Plan {
  /** The folder of the environment, which does not exist yet. */
  readonly folder: string;
  /** A wheel or a folder with the sources. */
  readonly source: string;
  /** A file with the versions that were tested together. */
  readonly constraints?: string | undefined;
  /** The address of one more package index, as pip's `--extra-index-url`. */
  readonly extraIndex?: string | undefined;
}

/** Something that the person can do something about. */
export class InstallError extends Error {}

/**
 * Makes the environment and returns the server's executable. Raises InstallError.
 *
 * What was made until a failure or until `signal` is removed.
 */
export async function install(plan: Plan, run: Runner, options: RunOptions = {}): Promise<string> {
  const python = await findPython(run, options);
  await mkdir(plan.folder, { recursive: true }).catch((error: unknown) => {
    throw new InstallError(diagnosis({ status: null, output: String(error) }));
  });
  try {
    await step(run, python, ['-m', 'venv', plan.folder], options);
    await step(run, join(plan.folder, 'bin', 'python'), pipArguments(plan), options);
  } catch (error) {
    await rm(plan.folder, { recursive: true, force: true });
    throw error;
  }
  return join(plan.folder, 'bin', 'lancefill');
}

async function step(
  run: Runner,
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<void> {
  const ran = await run(command, args, options);
  if (ran.status !== 0) {
    throw new InstallError(diagnosis(ran));
  }
}

export function pipArguments({ source, constraints, extraIndex }: Plan): string[] {
  return [
    ...['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check'],
    ...['--progress-bar', 'off'],
    ...(constraints === undefined ? [] : ['--constraint', constraints]),
    ...(extraIndex === undefined ? [] : ['--extra-index-url', extraIndex]),
    source,
  ];
}

/** The first Python that is new enough and can make environments. Raises InstallError. */
export async function findPython(run: Runner, options: RunOptions = {}): Promise<string> {
  const problems: string[] = [];
  for (const python of PYTHONS) {
    const problem = pythonProblem(python, await run(python, ['-c', PROBE], options));
    if (problem === undefined) {
      return python;
    }
    problems.push(problem);
  }
  const told = problems.find((problem) => problem !== ABSENT);
  throw new InstallError(told ?? `There is no Python. ${REMEDY}`);
}

const NEEDED = OLDEST.join('.');
const REMEDY = `Install Python ${NEEDED} or later (Debian, Ubuntu: apt install python3 python3-venv), then try again.`;
const ABSENT = '';

/** What is wrong with a Python, empty for one that is not there; undefined: nothing. */
function pythonProblem(python: string, ran: Ran): string | undefined {
  const [, major, minor] = /^Python (\d+) (\d+)/m.exec(ran.output) ?? [];
  if (major === undefined || minor === undefined) {
    return ABSENT;
  }
  const version = `${major}.${minor}`;
  if (Number(major) < OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) < OLDEST[1])) {
    return `Python is too old: ${python} is ${version}, and ${NEEDED} is needed. ${REMEDY}`;
  }
  return ran.status === 0
    ? undefined
    : `${python} (${version}) cannot make environments: its venv module is missing. Install it (Debian, Ubuntu: apt install python${version}-venv), then try again.`;
}

/** What to do about a step that failed, by what it printed. */
export function diagnosis({ output, errno }: Ran): string {
  const [, absent] =
    /No matching distribution found for (\S+)|No module named '?([\w.]+)/.exec(output) ?? [];
  const known = CAUSES.find(({ sign }) => sign.test(`${errno ?? ''}\n${output}`));
  if (known !== undefined) {
    return known.remedy;
  }
  if (absent !== undefined) {
    return `The package ${absent} was not found, or not for this Python. Check which package index pip uses ("pip config list"), then try again.`;
  }
  const last = (output.trim().split('\n').at(-1) ?? '').replace(/\.$/, '');
  return `${last === '' ? 'It ended without a message' : last}. The log has all that was printed.`;
}

const CAUSES: readonly { readonly sign: RegExp; readonly remedy: string }[] = [
  {
    sign: /ENOSPC|No space left on device|Disk quota exceeded/i,
    remedy:
      'The disk is full. Make room (PyTorch with CUDA takes several gigabytes, without it much less), then try again.',
  },
  {
    sign: /EACCES|EPERM|EROFS|Permission denied|Read-only file system/i,
    remedy:
      'There is no permission to write into the folder of the extension or to start Python. Check who owns your VS Code folder, then try again.',
  },
  {
    sign: /ensurepip is not available|No module named '?(ensurepip|venv|pip)\b/,
    remedy:
      'This Python cannot make environments: its venv module is missing. Install it (Debian, Ubuntu: apt install python3-venv), then try again.',
  },
  {
    sign: /name resolution|Name or service not known|NewConnectionError|ConnectTimeout|ProxyError|SSLError/,
    remedy:
      'The package index could not be reached. Check the connection and the proxy, then try again; without a network, install Lancefill by hand and set lancefill.path.',
  },
];

/** What a line of pip's says about how far it is; undefined: nothing new. */
export function progressText(line: string): string | undefined {
  const [, name] = /^\s*(?:Collecting|Downloading|Building wheel for) ([\w.-]+)/.exec(line) ?? [];
  if (name !== undefined) {
    return `fetching ${name.split('-')[0] ?? name}`;
  }
  return line.startsWith('Installing collected packages')
    ? 'installing (a minute or two)'
    : undefined;
}

/** What pip can install of a folder's files: the newest wheel, else the sources in it. */
export function sourceIn(folder: string, names: readonly string[]): string | undefined {
  const wheels = names.filter((name) => /^lancefill-.*\.whl$/.test(name));
  const newest = wheels.sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
  const name = newest.at(-1);
  if (name !== undefined) {
    return join(folder, name);
  }
  return names.includes('pyproject.toml') ? folder : undefined;
}
