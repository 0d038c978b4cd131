// The server in an environment of the extension's own: asks, shows the progress, remembers.

import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import * as vscode from 'vscode';

import { install, InstallError, progressText, sourceIn, type Plan } from './install';
import { run } from './run';
import { forPython } from './server';

const REMEMBERED = 'server';

export class Installation {
  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** The executable that was installed last, if any was. */
  get executable(): string | undefined {
    return this.context.globalState.get<string>(REMEMBERED);
  }

  /** Asks what to install and does it; returns whether there is a new server. */
  async install(): Promise<boolean> {
    const chosen = await this.choose();
    if (chosen === undefined) {
      return false;
    }
    const abort = new AbortController();
    try {
      await this.remember(await this.withProgress(chosen, abort));
      return true;
    } catch (error) {
      if (!(error instanceof InstallError)) {
        throw error;
      }
      if (!abort.signal.aborted) {
        void this.tell(error.message);
      }
      return false;
    }
  }

  private async choose(): Promise<Plan | undefined> {
    const bundled = join(this.context.extensionPath, 'bundled');
    const source = sourceIn(bundled, namesIn(bundled)) ?? (await chosenSource());
    const extraIndex = source === undefined ? undefined : await chosenIndex();
    if (source === undefined || extraIndex === undefined) {
      return undefined;
    }
    const beside = join(source.endsWith('.whl') ? dirname(source) : source, 'constraints.txt');
    return {
      // A name of its own: a server that runs from an older one goes on.
      folder: join(this.context.globalStorageUri.fsPath, `server-${String(Date.now())}`),
      source,
      constraints: existsSync(beside) ? beside : undefined,
      extraIndex: extraIndex === '' ? undefined : extraIndex,
    };
  }

  private async withProgress(plan: Plan, abort: AbortController): Promise<string> {
    const location = vscode.ProgressLocation.Notification;
    const options = { location, title: 'Installing Lancefill', cancellable: true };
    return vscode.window.withProgress(options, async (progress, token) => {
      token.onCancellationRequested(() => {
        abort.abort();
      });
      const heard = (line: string): void => {
        this.log.info(line);
        const message = progressText(line);
        if (message !== undefined) {
          progress.report({ message });
        }
      };
      const env = forPython(process.env);
      return install(plan, run, { env, signal: abort.signal, heard });
    });
  }

  /** The server before this one stays, for windows that run it; those before it go. */
  private async remember(executable: string): Promise<void> {
    const kept = [executable, this.executable ?? ''].map((file) => dirname(dirname(file)));
    await this.context.globalState.update(REMEMBERED, executable);
    const storage = this.context.globalStorageUri.fsPath;
    for (const name of namesIn(storage).filter((each) => each.startsWith('server-'))) {
      const folder = join(storage, name);
      if (!kept.includes(folder)) {
        await rm(folder, { recursive: true, force: true });
      }
    }
  }

  private async tell(problem: string): Promise<void> {
    const message = `Lancefill was not installed. ${problem}`;
    this.log.error(message);
    if ((await vscode.window.showErrorMessage(message, 'Show Log')) !== undefined) {
      this.log.show();
    }
  }
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** A folder that the person has: a checkout, or one with a wheel. */
async function chosenSource(): Promise<string | undefined> {
  const [folder] =
    (await vscode.window.showOpenDialog({
      title: 'The folder with Lancefill: a checkout of its repository, or one with its wheel',
      openLabel: 'Install from here',
      canSelectFiles: false,
      canSelectFolders: true,
    })) ?? [];
  if (folder === undefined) {
    return undefined;
  }
  const source = sourceIn(folder.fsPath, namesIn(folder.fsPath));
  if (source === undefined) {
    void vscode.window.showErrorMessage(
      `${folder.fsPath} holds neither a wheel (lancefill-….whl) nor a checkout of Lancefill.`,
    );
  }
  return source;
}

/** The address of one more package index; empty: none; undefined: the person gave up. */
async function chosenIndex(): Promise<string | undefined> {
  const usual = { label: 'As pip is set up', detail: 'On Linux this brings PyTorch with CUDA.' };
  const small = {
    label: 'PyTorch without CUDA',
    detail: 'Much smaller, for machines without an NVIDIA card. Needs the address of its index.',
  };
  const title = 'Which PyTorch?';
  const picked = await vscode.window.showQuickPick([usual, small], { title });
  if (picked !== small) {
    return picked && '';
  }
  return vscode.window.showInputBox({
    title: 'The package index of PyTorch’s CPU builds',
    prompt:
      'The page "Get started" of PyTorch names it for pip and CPU. Given as --extra-index-url.',
    ignoreFocusOut: true,
    validateInput: (text) => (URL.canParse(text.trim()) ? undefined : 'This is no address.'),
  });
}
