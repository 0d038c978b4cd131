// Runs a program to its end and hears its lines as they come.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface Ran {
  /** The exit status, or null: it did not start or was ended. */
  readonly status: number | null;
  readonly output: string;
  /** The system's name for why it did not start, such as ENOENT. */
  readonly errno?: string | undefined;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  readonly heard?: (line: string) => void;
}

/** Never rejects: what went wrong is in the answer. Both streams make up the output. */
export async function run(
  command: string,
  args: readonly string[],
  { env = {}, signal, heard }: RunOptions = {},
): Promise<Ran> {
  const lines: string[] = [];
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
      lines.push(line);
      heard?.(line);
    });
  }
  let errno: string | undefined;
  child.on('error', (error: NodeJS.ErrnoException) => {
    errno = error.code;
  });
  const status = await new Promise<number | null>((resolve) => {
    child.on('close', (code, signalled) => {
      // A program that did not start ends with a negative status.
      resolve(signalled !== null || (code ?? -1) < 0 ? null : code);
    });
  });
  return { status, output: lines.join('\n'), errno };
}
